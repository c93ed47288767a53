"""The programs that the bench compares: pmx, cat, s6-log and PM2, each as "run this generator to its end"."""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

TICKS = os.sysconf("SC_CLK_TCK")
PM2_VERSION = "7.0.4"


class Run(NamedTuple):
    """What one run cost: wall time from start to the last byte in the file, CPU of the consumer."""
    seconds: float
    cpu_seconds: float
    size_bytes: int


def cpu_seconds(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def pss_kib(pids: list[int]) -> int:
    total = 0
    for pid in pids:
        total += int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)[1])
    return total


def wakeups(pids: list[int]) -> int:
    """Voluntary context switches of all threads: how often somebody waited and was woken."""
    total = 0
    for pid in pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M)[1])
    return total


def size_of(directory: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in directory.glob(pattern))


def wait_until(what: str, condition, seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.005)


class Pmx:
    """A home of its own. CPU and memory are those of daemon and keeper together."""
    name = "pmx"

    def __init__(self, program: Path, env: dict | None = None):
        self.program = str(program)
        self.work = Path(tempfile.mkdtemp(prefix="pmx-bench-"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PMX_", "PM2_"))}
        self.env |= {"PMX_HOME": str(self.work / "home"), "NO_COLOR": "1"} | (env or {})
        self.logs = self.work / "home/logs"

    def __enter__(self) -> "Pmx":
        self.run("ping", "--json")
        return self

    def __exit__(self, *_) -> None:
        subprocess.run([self.program, "delete", "all"], env=self.env, capture_output=True, timeout=120)
        subprocess.run([self.program, "kill"], env=self.env, capture_output=True, timeout=120)
        shutil.rmtree(self.work, ignore_errors=True)

    def run(self, *arguments) -> str:
        done = subprocess.run([self.program, *map(str, arguments)], env=self.env, capture_output=True,
                              text=True, timeout=300, cwd=self.work)
        if done.returncode:
            raise RuntimeError(f"pmx {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
        return done.stdout

    def pids(self) -> list[int]:
        ping = json.loads(self.run("ping", "--json"))
        return [ping["keeper_pid"], ping["daemon_pid"]]

    def pid_of(self, name: str) -> int:
        return next(app["pid"] for app in json.loads(self.run("jlist")) if app["name"] == name)

    def capture(self, generator: list[str], *options, size_bytes: int) -> Run:
        """Until the last byte is in the log: its size is known where rotation is off, else its lines."""
        pids = self.pids()
        before = cpu_seconds(pids)
        begin = time.monotonic()
        self.run("start", generator[0], "--name", "gen", "--no-autorestart", *options, "--", *generator[1:])
        if "--rotate-max-size" in options:  # Rotation is off.
            wait_until("all bytes are in the file", lambda: size_of(self.logs, "gen-out.log") >= size_bytes)
            seconds = time.monotonic() - begin
        else:
            worker = self.pid_of("gen")  # 0: has ended already.
            wait_until("the generator ends", lambda: not worker or not Path(f"/proc/{worker}").exists())
            seconds = time.monotonic() - begin
            wait_until("packing ends", lambda: not list(self.logs.glob("gen-out__*.log")) and
                       not list(self.logs.glob("*.tmp")))
        cpu = cpu_seconds(pids) - before
        self.run("delete", "gen")
        return Run(seconds, cpu, size_bytes)

    def lines_kept(self) -> int:
        """Over sealed and active files."""
        script = (f"{{ cat {self.logs}/gen-out__*.zst 2>/dev/null | zstd -dcq; cat {self.logs}/gen-out__*.log "
                  f"2>/dev/null; cat {self.logs}/gen-out.log; }} | wc -l")
        return int(subprocess.run(["bash", "-c", script], capture_output=True, text=True).stdout)

    def remove_logs(self) -> None:
        for path in self.logs.glob("gen-*"):
            path.unlink(missing_ok=True)


class Piped:
    """A consumer at the end of a plain pipe."""

    def __init__(self, name: str, command: list[str], size_pattern: str):
        self.name = name
        self.command = command
        self.size_pattern = size_pattern

    def capture(self, generator: list[str], *, size_bytes: int) -> Run:
        with tempfile.TemporaryDirectory(prefix="pmx-bench-") as directory:
            command = [part.replace("%", directory) for part in self.command]
            begin = time.monotonic()
            producer = subprocess.Popen(generator, stdout=subprocess.PIPE)
            out = open(f"{directory}/out.log", "wb") if self.name == "cat" else subprocess.DEVNULL
            consumer = subprocess.Popen(command, stdin=producer.stdout, stdout=out)
            producer.stdout.close()
            _, _, usage = os.wait4(consumer.pid, 0)
            seconds = time.monotonic() - begin
            consumer.returncode = 0
            producer.wait()
            return Run(seconds, usage.ru_utime + usage.ru_stime, size_bytes)


CAT = Piped("cat > file", ["cat"], "out.log")
CAT.name = "cat"
S6_LOG = Piped("s6-log", ["s6-log", "n20", "s268435455", "%/s6"], "s6/*")


class Pm2:
    """PM2 from npm, installed once under ~/.cache/pmx. CPU and memory are its daemon's."""
    name = f"PM2 {PM2_VERSION}"

    def __init__(self, program: Path):
        self.program = str(program)
        self.work = Path(tempfile.mkdtemp(prefix="pm2-bench-"))
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PMX_", "PM2_"))}
        self.env |= {"PM2_HOME": str(self.work), "PM2_DISABLE_VERSION_CHECK": "1", "NO_COLOR": "1"}
        self.logs = self.work / "logs"

    @staticmethod
    def find() -> Path | None:
        """The program, or None where there is no node or no way to get PM2."""
        directory = Path(os.path.expanduser(f"~/.cache/pmx/pm2-{PM2_VERSION}"))
        program = directory / "node_modules/.bin/pm2"
        if not program.exists() and shutil.which("npm"):
            directory.mkdir(parents=True, exist_ok=True)
            subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix",
                            str(directory), f"pm2@{PM2_VERSION}"], check=False, timeout=600)
        return program if program.exists() and shutil.which("node") else None

    def __enter__(self) -> "Pm2":
        self.run("ping")
        return self

    def __exit__(self, *_) -> None:
        subprocess.run([self.program, "kill"], env=self.env, capture_output=True, timeout=120)
        shutil.rmtree(self.work, ignore_errors=True)

    def run(self, *arguments) -> str:
        return subprocess.run([self.program, *map(str, arguments)], env=self.env, capture_output=True,
                              text=True, timeout=300, cwd=self.work, check=True).stdout

    def pids(self) -> list[int]:
        return [int((self.work / "pm2.pid").read_text())]

    def capture(self, generator: list[str], *, size_bytes: int) -> Run:
        pids = self.pids()
        before = cpu_seconds(pids)
        begin = time.monotonic()
        self.run("start", generator[0], "--name", "gen", "--no-autorestart", "--interpreter", "none", "--",
                 *generator[1:])
        last, since = -1, time.monotonic()
        while (size := size_of(self.logs, "gen-out.log")) < size_bytes:
            if size != last:
                last, since = size, time.monotonic()
            if time.monotonic() - since > 5:  # PM2 drops what is queued when a worker ends.
                break
            time.sleep(0.005)
        seconds = time.monotonic() - begin
        cpu = cpu_seconds(pids) - before
        self.run("delete", "gen")
        (self.logs / "gen-out.log").unlink(missing_ok=True)
        return Run(seconds, cpu, size)


def end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
