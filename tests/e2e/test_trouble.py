"""Full disk, read-only directory, no descriptors left: workers go on, and everything recovers by itself.

Runs in a mount namespace of its own, so that mounting disturbs nobody.
"""
import os
import re
import resource
import subprocess
import time
from pathlib import Path

from harness import Home, alive, check, check_lines, in_mount_namespace, read_log, run_tests, wait_for
from numbered import text_of


class SmallDisk:
    """A tmpfs of a few MiB, for logs."""

    def __init__(self, home: Home, size: str):
        self.path = home.work / "disk"
        self.path.mkdir()
        self.mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs", self.path)

    def mount(self, *arguments) -> None:
        subprocess.run(["mount", *map(str, arguments)], check=True)

    def read_only(self, on: bool) -> None:
        self.mount("-o", "remount,ro" if on else "remount,rw", self.path)

    def fill(self) -> Path:
        ballast = self.path / "ballast"
        with ballast.open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                pass
        return ballast

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        subprocess.run(["umount", "-l", str(self.path)], check=False)


DROPPED = re.compile(rb"\[pmx\] (\d+) lines were dropped[^\n]*\n")


def dropped_in(data: bytes) -> int:
    return sum(int(count) for count in DROPPED.findall(data))


def check_accounted(data: bytes, name: str, printed: int) -> None:
    """Lines in order and every missing one counted by a line that says so where it is missing. All are
    whole, but for one right before such a line: its rest is gone, and it is counted as well."""
    following = 0
    lines = data.split(b"\n")
    for at, raw in enumerate(lines[:-1]):
        if match := DROPPED.match(raw + b"\n"):
            following += int(match[1])
            continue
        line = raw.decode()
        if line != text_of(name, following) and DROPPED.match(lines[at + 1] + b"\n"):
            check(text_of(name, following).startswith(line), f"not the beginning of {following}: {line[:120]!r}")
            continue
        check(line == text_of(name, following), f"where {following} should be: {line[:120]!r}")
        following += 1
    check(following == printed, f"{printed} lines printed, {following} are there or counted")


def trouble_shows(home: Home) -> bool:
    return bool(re.search("No space|disk (is )?full", home.run("list").stdout))


def test_disk_full_without_archives_drops_counts_and_recovers():
    with Home() as home, SmallDisk(home, "2M") as disk:
        home.start_numbered("a", "-o", disk.path / "a.log", "--rotate-max-size", "0", rate=20_000)
        worker, daemon = home.app("a")["pid"], home.ping()["daemon_pid"]
        wait_for("the trouble in the list", lambda: trouble_shows(home))
        time.sleep(20)  # Ten seconds it waits; then it drops.
        check(alive(worker) and home.app("a")["pid"] == worker, "the worker did not go on")
        check(home.ping()["daemon_pid"] == daemon, "the daemon did not go on")
        disk.mount("-o", "remount,size=200M", disk.path)
        size = (disk.path / "a.log").stat().st_size
        wait_for("writing goes on", lambda: (disk.path / "a.log").stat().st_size > size + 100_000)
        wait_for("the trouble is over", lambda: not trouble_shows(home))
        home.stop_all()
        home.kill()
        data = read_log(disk.path / "a.log")
        check(dropped_in(data) > 0, "nothing was dropped: the test shows nothing")
        check_accounted(data, "a", home.count("a"))


def test_disk_full_takes_own_oldest_archives_first():
    with Home() as home, SmallDisk(home, "3M") as disk:
        home.start_numbered("a", "-o", disk.path / "a.log", "--rotate-max-size", "256K", "--rotate-retain", "0",
                            "--rotate-compress", "none", rate=4000)
        time.sleep(6)  # About 5 MB.
        home.stop_all()
        home.kill()
        data = read_log(disk.path / "a.log")
        check(dropped_in(data) == 0, "new lines were dropped while there were old archives")
        check_lines(data, {"a": home.count("a")}, first_is_any=True)


def test_block_makes_the_worker_wait_and_loses_nothing():
    with Home() as home, SmallDisk(home, "2M") as disk:
        home.start_numbered("a", "-o", disk.path / "a.log", "--rotate-max-size", "0", "--when-full", "block",
                            rate=50_000, how="chunks", count=60_000)
        wait_for("the trouble in the list", lambda: trouble_shows(home))
        time.sleep(11)
        check(home.status("a") == "online", "the worker ended")
        disk.mount("-o", "remount,size=200M", disk.path)
        wait_for("the worker's end", lambda: (home.work / "a.count").exists(), 60)
        home.kill()
        check_lines(read_log(disk.path / "a.log"), {"a": 60_000})


def test_kills_of_the_daemon_on_a_full_disk():
    with Home() as home, SmallDisk(home, "4M") as disk:
        ballast = disk.fill()
        home.start_numbered("a", "-o", disk.path / "a.log", "--rotate-max-size", "256K", "--rotate-retain", "0",
                            rate=500)
        for _ in range(4):
            time.sleep(0.5)
            home.kill_daemon()
            ballast.unlink()
            time.sleep(0.5)
            ballast = disk.fill()
        ballast.unlink()
        time.sleep(1)
        home.stop_all()
        home.kill()
        check_accounted(read_log(disk.path / "a.log"), "a", home.count("a"))


def test_a_read_only_log_directory():
    with Home() as home, SmallDisk(home, "64M") as disk:
        home.start_numbered("a", "-o", disk.path / "a.log", "--rotate-max-size", "64K", "--rotate-retain", "0",
                            rate=1000)
        wait_for("lines", lambda: (disk.path / "a.log").exists())
        home.start("late", "/bin/sh", "--interpreter", "none", "--no-autostart", "-o", disk.path / "late.log",
                   args=["-c", "echo late; sleep 1000"])
        time.sleep(0.5)
        worker = home.app("a")["pid"]
        # A writable descriptor refuses the remount: stop writing in the way that a broken disk does.
        subprocess.run(["mount", "--bind", str(disk.path), str(disk.path)], check=True)
        subprocess.run(["mount", "-o", "remount,bind,ro", str(disk.path)], check=True)
        home.run("start", "late", ok=None)
        wait_for("somebody says that it is read-only",
                 lambda: "Read-only" in home.own_log() + home.run("describe", "a").stdout)
        check(home.app("a")["pid"] == worker and alive(worker), "the worker did not go on")
        subprocess.run(["mount", "-o", "remount,bind,rw", str(disk.path)], check=True)
        home.run("restart", "late")
        wait_for("the late app's line", lambda: b"late\n" in read_log(disk.path / "late.log"), 40)
        home.run("stop", "a")
        wait_for("all lines", lambda: read_log(disk.path / "a.log").endswith(
            text_of("a", home.count("a") - 1).encode() + b"\n"), 40)
        home.kill()
        check_accounted(read_log(disk.path / "a.log"), "a", home.count("a"))


def test_no_descriptors_left():
    with Home() as home:
        home.start_numbered("a", "--rotate-max-size", "64K", "--rotate-retain", "0", rate=2000)
        daemon = home.ping()["daemon_pid"]
        before = resource.prlimit(daemon, resource.RLIMIT_NOFILE)
        used = max(int(fd) for fd in os.listdir(f"/proc/{daemon}/fd"))
        resource.prlimit(daemon, resource.RLIMIT_NOFILE, (used + 1, before[1]))
        # Without a descriptor the daemon cannot even take the call: such a command waits until it can.
        commands = [home.spawn("start", "/bin/sleep", "--name", f"more{number}", "--", "1000",
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for number in range(3)]
        try:
            wait_for("pmx.log says why", lambda: "Too many open files" in home.own_log())
            time.sleep(1)
        finally:
            resource.prlimit(daemon, resource.RLIMIT_NOFILE, before)
        for command in commands:
            command.wait(timeout=60)
        check(home.ping()["daemon_pid"] == daemon, "the daemon did not survive")
        home.start("later", "/bin/sleep", args=["1000"])
        check(home.status("later") == "online", "it does not start apps any more")
        time.sleep(1)
        home.stop_all()
        home.kill()
        check_lines(read_log(home.logs / "a-out.log"), {"a": home.count("a")})


if __name__ == "__main__":
    in_mount_namespace()
    run_tests()
