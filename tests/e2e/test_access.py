"""Who may see and do what: modes of files, other users on the socket, files of a worker's user. As root."""
import os
import pwd
import socket
import stat
import subprocess
import time
from pathlib import Path

from harness import PMX, Home, check, read_log, run_tests, wait_for

NOBODY = pwd.getpwnam("nobody")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_to_all(home: Home) -> None:
    """So that it is pmx that refuses, not a directory's mode."""
    for path in (home.work, home.path):
        path.chmod(0o755)


def sockets(home: Home) -> list[Path]:
    return [path for path in home.path.rglob("*") if path.is_socket()]


def test_files_are_for_the_owner_only():
    with Home() as home:
        home.start("a", "/bin/sh", "--interpreter", "none", args=["-c", "echo x; sleep 1000"], env={"SECRET": "s3cret"})
        wait_for("the log", lambda: (home.logs / "a-out.log").exists())
        check(mode(home.path) == 0o700, f"home is {mode(home.path):o}")
        check(mode(home.path / "state") == 0o700, f"state is {mode(home.path / 'state'):o}")
        check(sockets(home), "no socket in the home")
        for path in sockets(home):
            check(mode(path) == 0o600, f"{path.name} is {mode(path):o}")
        for path in (home.path / "state").rglob("*"):
            if path.suffix == ".tmp":
                continue  # It may be gone by now.
            wanted = 0o700 if path.is_dir() else 0o600
            check(path.is_socket() or mode(path) == wanted, f"{path} is {mode(path):o}, not {wanted:o}")
        check(not mode(home.logs / "a-out.log") & 0o007, "others may read the log")
        for path, text in home.contents():
            check(b"s3cret" not in text or mode(path) == 0o600, f"{path} has the environment and is {mode(path):o}")


def test_another_user_is_refused_on_the_socket():
    check(os.geteuid() == 0, "this test needs root, to become another user")
    with Home() as home:
        home.start("a", "/bin/sleep", args=["1000"])
        open_to_all(home)
        for path in sockets(home):
            path.chmod(0o666)
        done = subprocess.run([PMX, "list"], env=home.env, user=NOBODY.pw_uid, group=NOBODY.pw_gid,
                              capture_output=True, text=True, timeout=60)
        check(done.returncode == 1 and "online" not in done.stdout, f"another user sees {done.stdout!r}")
        script = (
            "import socket, sys\n"
            "s = socket.socket(socket.AF_UNIX); s.settimeout(5)\n"
            "try:\n"
            "    s.connect(sys.argv[1]); s.sendall(b'GET /v1/list HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n')\n"
            "    answer = b''\n"
            "    while piece := s.recv(65536): answer += piece\n"
            "except OSError: answer = b''\n"
            "sys.stdout.buffer.write(answer)\n")
        for path in sockets(home):
            answer = subprocess.run(["/usr/bin/python3", "-c", script, str(path)], user=NOBODY.pw_uid,
                                    group=NOBODY.pw_gid, capture_output=True, timeout=60).stdout
            check(b" 200 " not in answer.split(b"\n")[0] and b"sleep" not in answer,
                  f"{path.name} answers another user: {answer[:200]!r}")
        check(home.status("a") == "online", "the daemon does not answer its owner any more")


def test_a_workers_user_owns_its_files_and_no_link_is_followed():
    check(os.geteuid() == 0, "this test needs root, to become another user")
    with Home() as home:
        home.work.chmod(0o755)
        theirs = home.work / "theirs"
        theirs.mkdir()
        os.chown(theirs, NOBODY.pw_uid, NOBODY.pw_gid)
        precious = home.work / "precious"
        precious.write_text("root's\n")
        (theirs / "link.log").symlink_to(precious)
        options = ["--interpreter", "none", "--uid", "nobody", "--gid", str(NOBODY.pw_gid), "--cwd", "/",
                   "--rotate-max-size", "4K", "--rotate-compress", "gzip"]
        home.start("good", "/bin/sh", *options, "-o", theirs / "good.log", "-e", "/dev/null",
                   args=["-c", "id -u; i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done; sleep 1000"])
        home.start("evil", "/bin/sh", *options, "-o", theirs / "link.log", "-e", "/dev/null",
                   args=["-c", "echo overwritten; sleep 1000"])
        expected = f"{NOBODY.pw_uid}\n".encode() + b"".join(b"line %d\n" % i for i in range(2000))
        wait_for("all lines", lambda: read_log(theirs / "good.log") == expected)
        wait_for("all are packed", lambda: {path.suffix for path in theirs.glob("good__*")} == {".gz"})
        for path in theirs.glob("good*"):
            check(path.stat().st_uid == NOBODY.pw_uid, f"{path.name} belongs to {path.stat().st_uid}")
        time.sleep(0.5)
        check(precious.read_text() == "root's\n", "a symbolic link was followed")
        check("link.log" in home.own_log() + home.run("describe", "evil").stdout, "nobody says that link.log is no file")


def test_no_descriptor_or_variable_of_ours_reaches_a_worker():
    with Home() as home:
        home.start("a", "/bin/sh", "--interpreter", "none",
                   args=["-c", "ls -l /proc/self/fd; ulimit -c; cat /proc/self/oom_score_adj; echo done; sleep 1000"])
        text = wait_for("the list", lambda: (t := read_log(home.logs / "a-out.log").decode()).endswith("done\n") and t)
        others = [line for line in text.splitlines() if "->" in line and
                  ("memfd" in line or "epoll" in line or ".idx" in line)]
        check(not others, f"descriptors of ours: {others}")
        ours = Path("/proc/self/oom_score_adj").read_text().strip()
        check(text.splitlines()[-2] == ours, f"the worker's oom_score_adj: {text.splitlines()[-2]}, not {ours}")


if __name__ == "__main__":
    os.umask(0o022)
    run_tests()
