"""The bench's rows about cluster mode, PM2's beside it with the same programs: what two workers of a trivial
http program serve on one port, and how long the slowest hundredth of the requests waits, as wrk sees it; and
how many requests fail while four workers are reloaded again and again, with the load of the e2e tests."""
import contextlib
import re
import shutil
import statistics
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import NamedTuple

from programs import Pm2, Pmx, wait_until
from table import row, verdict

E2E = Path(__file__).resolve().parents[1] / "e2e"
sys.path.insert(0, str(E2E))

from cluster_load import Load as Requests  # noqa: E402
from cluster_load import Result  # noqa: E402
from stores import free_port  # noqa: E402

WORKERS = 2
CONNECTIONS = 64
PROGRAM = "require('http').createServer((q, a) => a.end('hello')).listen(process.env.PORT)\n"
KINDS = {"kept alive": [], "a connection a request": ["-H", "Connection: close"]}
RELOADED = {"close": "a connection a request", "keep": "kept alive", "slow": "requests of 300 ms"}
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Load(NamedTuple):
    """What wrk saw in one run."""
    requests_a_second: float
    p99_ms: float


def answers(port: int) -> bool:
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5).read())
    return False


def serve(home: Pmx | Pm2, script: Path | None = None, workers: int = WORKERS) -> int:
    """The port on which the program serves once it does."""
    port = free_port()
    if not script:
        script = home.work / "app.js"
        script.write_text(PROGRAM)
    home.env["PORT"] = str(port)
    home.run("start", script, "--name", "web", "-i", workers)
    wait_until(f"an answer at port {port}", lambda: answers(port), 20)
    return port


def load(port: int, seconds: int, options: list[str]) -> Load:
    said = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *options,
                           f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=120, check=True).stdout
    # A status other than 2xx, or a socket error, is no request served.
    if wrong := re.search(r"(Non-2xx.*|Socket errors.*)", said):
        raise RuntimeError(wrong[1])
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    return Load(float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), float(slow[1]) * UNITS[slow[2]])


def reload_under(kind: str, home: Pmx | Pm2, port: int, reloads: int) -> Result:
    """As a deploy does it: one reload after the other, each command waited for."""
    with Requests(port, kind) as requests:
        for _ in range(reloads):
            home.run("reload", "web")
            requests.wait_for_answers()
        return requests.result()


class ClusterRows:
    """Bench has what these use: options, pmx, pm2."""

    def cluster(self) -> None:
        if not shutil.which("wrk"):
            raise RuntimeError("there is no wrk: apt-get install wrk")
        with Pmx(self.pmx) as pmx:
            if self.pm2:
                with Pm2(self.pm2) as pm2:
                    self.compare_clusters({"pmx": serve(pmx), pm2.name: serve(pm2)})
            else:
                self.compare_clusters({"pmx": serve(pmx)})

    def compare_clusters(self, ports: dict[str, int]) -> None:
        seconds = 10 if self.options.full else 4
        for kind, options in KINDS.items():
            loads: dict[str, list[Load]] = {name: [] for name in ports}
            for round_ in range(self.options.runs + 1):
                for name, port in ports.items():
                    one = load(port, seconds, options)
                    if round_:  # The first one warms up.
                        loads[name].append(one)
            rates = {n: statistics.median(x.requests_a_second for x in all_) for n, all_ in loads.items()}
            slow = {n: statistics.median(x.p99_ms for x in all_) for n, all_ in loads.items()}
            mine, mine_slow = rates.pop("pmx"), slow.pop("pmx")
            row(f"{WORKERS} node workers, {kind}, requests/s", f"{mine:.0f}",
                ", ".join(f"{n} {v:.0f} ({mine / v:.2f}x)" for n, v in rates.items()),
                ", ".join("x PM2 " + verdict(mine / v, at_least=1) for v in rates.values()))
            row(f"{WORKERS} node workers, {kind}, p99 in ms", f"{mine_slow:.1f}",
                ", ".join(f"{n} {v:.1f} ({mine_slow / v:.2f}x)" for n, v in slow.items()),
                ", ".join("x PM2 " + verdict(mine_slow / v, at_most=1) for v in slow.values()))

    def reload(self) -> None:
        script = E2E / "cluster_apps/web.js"
        reloads = 20 if self.options.full else 3
        for kind, what in RELOADED.items():
            with Pmx(self.pmx) as pmx:
                mine = reload_under(kind, pmx, serve(pmx, script, 4), reloads)
            peer = ""
            if self.pm2:
                with Pm2(self.pm2) as pm2:
                    theirs = reload_under(kind, pm2, serve(pm2, script, 4), reloads)
                peer = f"{pm2.name} {theirs.failed} of {theirs.answered + theirs.failed}"
            row(f"{reloads} reloads of 4 node workers, {what}, failed requests",
                f"{mine.failed} of {mine.answered + mine.failed}", peer, verdict(mine.failed, at_most=0))
