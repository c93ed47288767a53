"""The language of the tests with real processes: a home of its own, workers that number their lines,
a reader of whole logs, and a check that every line is there exactly once and in order.

A test file is a list of functions test_*() and ends with run_tests(). PMX_BIN names the program.
With PMX_TEST_FULL=1 the sizes are those of a release, otherwise those of every change.
"""
from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

from numbered import text_of

HERE = Path(__file__).resolve().parent
PMX = os.environ.get("PMX_BIN", str(HERE.parents[1] / "build/release/pmx"))
FULL = os.environ.get("PMX_TEST_FULL") == "1"
NUMBERED = str(HERE / "numbered.py")


class Failed(Exception):
    """What was expected and what was found: ends the test."""


def check(condition, message: str) -> None:
    if not condition:
        raise Failed(message)


def size(ci, full):
    return full if FULL else ci


def wait_for(what: str, condition, seconds: float = 20.0):
    """Asks until the condition holds, and returns what it returned; fails with `what` in time."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise Failed(f"after {seconds:g} s still not: {what}")
        time.sleep(0.02)


def alive(pid: int) -> bool:
    """Running, and not a zombie that waits for its parent."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


class Home:
    """One PMX_HOME in a temporary directory, and what runs in it. Ends everything when it is closed."""

    def __init__(self, env: dict | None = None, directory: str | None = None):
        self.work = Path(tempfile.mkdtemp(prefix="pmx-e2e-", dir=directory))
        self.path = self.work / "home"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("PMX_", "PM2_"))}
        self.env.update({"PMX_HOME": str(self.path), "TZ": "UTC", "NO_COLOR": "1"})
        self.env.update(env or {})
        self.processes: list[subprocess.Popen] = []

    def __enter__(self) -> "Home":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind:
            self.show()
        for process in self.processes:
            process.kill()
            process.wait()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.run("kill", ok=None, timeout=20)
        for _ in range(3):
            for pid in self.pids():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if not os.environ.get("PMX_KEEP_HOME"):
            shutil.rmtree(self.work, ignore_errors=True)

    # What runs.

    def pids(self) -> list[int]:
        """Every process that was started in this home, by its environment."""
        mark = f"PMX_HOME={self.path}".encode()
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == os.getpid():
                continue
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    found.append(int(entry))
        return [pid for pid in found if alive(pid)]

    def run(self, *arguments, ok: bool | None = True, timeout: float = 60, env: dict | None = None,
            binary: bool = False, **options) -> subprocess.CompletedProcess:
        """One pmx command, to its end. With ok=True it must succeed, with False fail with 1."""
        command = [PMX, *map(str, arguments)]
        done = subprocess.run(command, env=self.env | (env or {}), capture_output=True,
                              timeout=timeout, text=not binary, cwd=self.work,
                              stdin=subprocess.DEVNULL, **options)
        if ok is not None and done.returncode != (0 if ok else 1):
            raise Failed(f"pmx {' '.join(map(str, arguments))}: exit code {done.returncode}\n"
                         f"{done.stdout}{done.stderr}")
        return done

    def spawn(self, *arguments, **options) -> subprocess.Popen:
        """A pmx command that goes on (logs, run); ended with the home."""
        env = self.env | options.pop("env", {})
        process = subprocess.Popen([PMX, *map(str, arguments)], env=env, cwd=self.work, **options)
        self.processes.append(process)
        return process

    def run_through(self, *arguments, done=lambda: False) -> None:
        """A command during which the daemon may die. It waits for the next daemon; where it had been
        taken and not answered, it says so, and the user looks whether it was done."""
        for _ in range(20):
            answer = self.run(*arguments, ok=None)
            if answer.returncode == 0 or done():
                return
            check("it is not known whether this was done" in answer.stderr, f"{arguments}: {answer.stderr!r}")
        raise Failed(f"twenty times not known whether it was done: {arguments}")

    def start(self, name: str, script: str, *options, args=(), **more) -> None:
        tail = ["--", *args] if args else []
        if "PMX_CRASH_POINTS" in self.env:
            return self.run_through("start", script, "--name", name, *options, *tail,
                                    done=lambda: any(app["name"] == name for app in self.list()))
        self.run("start", script, "--name", name, *options, *tail, **more)

    def start_numbered(self, name: str, *options, how="lines", rate=5000, count=0, label=None,
                       more=()) -> None:
        """A worker of numbered.py. It is given time to end its line when it is stopped."""
        self.start(name, NUMBERED, "--interpreter", sys.executable, "--kill-timeout", 15000, *options,
                   args=[label or name, self.work, "--how", how, "--rate", rate, "--count", count, *more])

    def list(self) -> list[dict]:
        return json.loads(self.run("jlist").stdout)

    def app(self, name: str) -> dict:
        found = [app for app in self.list() if app["name"] == name]
        check(found, f"{name} is not in jlist")
        return found[0]

    def status(self, name: str) -> str:
        return self.app(name)["pm2_env"]["status"]

    def wait_for_end(self, name: str, seconds: float = 60) -> None:
        """Until the app has ended by itself and all that it printed is in its files."""
        def ended():
            app = self.app(name)
            return app["pm2_env"]["status"] == "stopped" and app["pmx"]["open_runs"] == 0
        wait_for(f"the end of {name}", ended, seconds)

    def worker_pids(self) -> dict[int, int]:
        return {app["pm_id"]: app["pid"] for app in self.list()}

    def contents(self) -> Iterator[tuple[Path, bytes]]:
        """Each file in the home and what it holds, but for those that take another's place just now."""
        for path in self.path.rglob("*"):
            if path.is_file() and path.suffix != ".tmp":
                with contextlib.suppress(FileNotFoundError):
                    yield path, path.read_bytes()

    def ping(self) -> dict:
        return json.loads(self.run("ping", "--json").stdout)

    def ship_status(self) -> list[dict]:
        return json.loads(self.run("ship", "status", "--json").stdout)["sinks"]

    def wait_for_ship(self, holds, seconds: float = 60) -> dict:
        """Until the only sink's status is as wanted."""
        def found():
            sinks = self.ship_status()
            return sinks[0] if sinks and holds(sinks[0]) else None
        return wait_for("the sink's state that was wanted", found, seconds)

    def wait_for_state(self, state: str) -> dict:
        return self.wait_for_ship(lambda sink: sink["state"] == state)

    def kill_daemon(self) -> int:
        """kill -9, and waits until another one answers. Returns the new one's pid."""
        before = self.ping()["daemon_pid"]
        os.kill(before, signal.SIGKILL)
        now = self.ping()["daemon_pid"]
        check(now != before, "the killed daemon still answers")
        return now

    def stop_all(self) -> None:
        self.run("stop", "all", timeout=120)

    def kill(self) -> None:
        """Deletes all apps and ends everything: what was printed is in the files afterwards."""
        self.run("kill", timeout=120)

    def end(self) -> None:
        """As the system stops a service: everything ends, and the list of apps stays."""
        ping = self.ping()
        os.kill(ping["keeper_pid"], signal.SIGTERM)
        wait_for("keeper and daemon end on SIGTERM",
                 lambda: not alive(ping["keeper_pid"]) and not alive(ping["daemon_pid"]), 60)

    # What is on disk.

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    def own_log(self) -> str:
        path = self.path / "pmx.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def count(self, name: str) -> int:
        """Lines that numbered.py has printed; one that was stopped before it was ready has printed none."""
        path = self.work / f"{name}.count"
        return int(path.read_text()) if path.exists() else 0

    def show(self) -> None:
        """What helps to understand a failure."""
        print("---- pmx.log, its end")
        print("\n".join(self.own_log().splitlines()[-40:]))
        for path in sorted(self.logs.glob("*"))[-20:] if self.logs.exists() else []:
            print(f"---- {path.name} {path.stat().st_size}")


# Reading a log as a user's tools would.

SEALED = re.compile(r"__(\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ)_(\d{6,})(?:-(\d+))?\.log(\.zst|\.gz)?$")


def sealed_files(active: Path) -> list[Path]:
    """The sealed segments of this log by age; of one that is there plain and packed, the plain one."""
    stem = active.name.removesuffix(".log")
    chosen: dict[tuple, Path] = {}
    for path in active.parent.glob(stem.replace("[", "[[]") + "__*"):
        match = SEALED.fullmatch(path.name[len(stem):])
        if not match:
            continue
        key = (int(match[2]), int(match[3] or 0))
        if key not in chosen or not match[4]:
            chosen[key] = path
    return [chosen[key] for key in sorted(chosen)]


def unpack(path: Path) -> bytes:
    tool = {".zst": ["zstd", "-dcq"], ".gz": ["gzip", "-dc"]}.get(path.suffix)
    if not tool:
        return path.read_bytes()
    done = subprocess.run([*tool, str(path)], capture_output=True)
    if not path.exists():
        raise FileNotFoundError(path)
    check(done.returncode == 0, f"{tool[0]} -d {path.name}: {done.stderr.decode()}")
    return done.stdout


def read_log(active: Path) -> bytes:
    """All bytes of a log: sealed segments by age, then the active file. While pmx rotates and packs,
    files come and go between a listing and a read: then all of it is read again."""
    def segments() -> list[str]:
        return [path.name.split(".log")[0] for path in sealed_files(active)]

    data = b""
    for _ in range(20):  # A log that is always rotating is read as well as can be.
        before = segments()
        try:
            data = b"".join(unpack(path) for path in sealed_files(active))
            data += active.read_bytes() if active.exists() else b""
        except FileNotFoundError:
            continue
        if segments() == before:
            break
    return data


def message_of(line: bytes, look: str) -> bytes:
    """The line as the worker printed it: without its date, out of its JSON."""
    if look == "json":
        return json.loads(line)["message"].rstrip("\n").encode()
    if look == "time":
        match = re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d: (.*)", line)
        check(match, f"a line without its date: {line[:80]!r}")
        return match[1]
    if look == "redacted":
        check(b"xyz0" not in line, f"what was to be taken out is there: {line[:120]!r}")
        return line.replace(b"[redacted]", b"xyz0")
    return line


def check_lines(data: bytes, expected: dict[str, int], look: str = "raw", first_is_any=False) -> None:
    """Each worker's lines 0 … n-1 exactly once and in order, and nothing else. first_is_any: old
    segments may have been retired, so the first line that is there decides where counting begins."""
    check(not data or data.endswith(b"\n"), f"the log ends in a torn line: {data[-80:]!r}")
    following = dict.fromkeys(expected, None if first_is_any else 0)
    for at, raw in enumerate(data.split(b"\n")[:-1]):
        line = message_of(raw, look).decode(errors="replace")
        name, _, rest = line.partition(":")
        number = rest[:9]
        check(name in expected and number.isdigit(), f"line {at} is none of ours: {line[:120]!r}")
        if following[name] is None:
            following[name] = int(number)
        check(int(number) == following[name],
              f"line {at}: {name} has {int(number)} where {following[name]} should be")
        check(line == text_of(name, int(number)), f"line {at} is torn: {line[:200]!r}")
        following[name] += 1
    for name, count in expected.items():
        check((following[name] or 0) == count,
              f"{name} printed {count} lines and the log has {following[name]}")


# Running.

def in_mount_namespace() -> None:
    """Runs this script again where mounting disturbs nobody else."""
    if os.environ.get("PMX_E2E_NAMESPACE") == "1":
        return
    os.environ["PMX_E2E_NAMESPACE"] = "1"
    user = [] if os.geteuid() == 0 else ["-U", "-r"]
    os.execvp("unshare", ["unshare", *user, "-m", sys.executable, *sys.argv])


def run_tests(names=None) -> None:
    """Every test_* of the script, or those that the command line names. Exit code 1 if one fails."""
    module = sys.modules["__main__"]
    tests = {n: f for n, f in vars(module).items() if n.startswith("test_") and callable(f)}
    chosen = names or sys.argv[1:] or list(tests)
    failed = []
    for name in chosen:
        begin = time.monotonic()
        try:
            tests[name]()
            print(f"ok    {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except (Failed, subprocess.TimeoutExpired) as error:
            failed.append(name)
            print(f"FAIL  {name} ({time.monotonic() - begin:.1f} s): {error}", flush=True)
        except Exception:  # A mistake of the test's, or an answer that it did not expect.
            failed.append(name)
            print(f"FAIL  {name}\n{traceback.format_exc()}", flush=True)
    sys.exit(1 if failed else 0)
