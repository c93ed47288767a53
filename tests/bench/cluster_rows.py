"""The bench's rows about cluster mode: what two workers of a trivial http program serve on one port, and how long the
slowest hundredth of the requests waits. PM2's cluster mode has the same program, and wrk asks both in turn."""
import re
import shutil
import statistics
import subprocess
import time
import urllib.request
from typing import NamedTuple

from programs import Pm2, Pmx
from shippers import free_port
from table import row, verdict

WORKERS = 2
CONNECTIONS = 64
PROGRAM = "require('http').createServer((q, a) => a.end('hello')).listen(process.env.PORT)\n"
KINDS = {"kept alive": [], "a connection a request": ["-H", "Connection: close"]}
UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


class Load(NamedTuple):
    """What wrk saw in one run."""
    requests_a_second: float
    p99_ms: float


def serve(home: Pmx | Pm2) -> int:
    """The port on which the program serves once both workers do."""
    port = free_port()
    (home.work / "app.js").write_text(PROGRAM)
    home.env["PORT"] = str(port)
    home.run("start", home.work / "app.js", "--name", "web", "-i", WORKERS)
    end = time.monotonic() + 20
    while True:
        try:
            return port if urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=5).read() else 0
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def load(port: int, seconds: int, options: list[str]) -> Load:
    said = subprocess.run(["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", *options,
                           f"http://127.0.0.1:{port}/"], capture_output=True, text=True, timeout=120, check=True).stdout
    # A status other than 2xx, or a socket error, is no request served.
    if wrong := re.search(r"(Non-2xx.*|Socket errors.*)", said):
        raise RuntimeError(wrong[1])
    slow = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    return Load(float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), float(slow[1]) * UNITS[slow[2]])


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
