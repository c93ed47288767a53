"""pmx logs: history and following, through rotations, kills of the daemon and slow readers."""
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

from harness import PMX, Home, alive, check, run_tests, size, wait_for
from numbered import text_of

SMALL = ["--rotate-max-size", "64K", "--rotate-retain", "0"]


def shell(home: Home, name: str, script: str, *options) -> None:
    """A worker that prints by a shell script, to its end."""
    home.start(name, "/bin/sh", "--interpreter", "none", "--no-autorestart", *options, args=["-c", script])


def ended(home: Home, name: str) -> None:
    home.wait_for_end(name)


def lines_of(home: Home, *arguments) -> list[str]:
    """What `pmx logs --nostream` prints, without its header."""
    out = home.run("logs", "--nostream", *arguments).stdout
    return [line for line in out.splitlines() if line and not line.startswith("[TAILING]")]


def test_tail_of_active_and_packed_segments_with_the_daemon_up_and_down():
    with Home() as home:
        home.start_numbered("a", "--no-autorestart", *SMALL, rate=1e9, count=5000)
        ended(home, "a")
        wait_for("a packed segment", lambda: list(home.logs.glob("a-out__*.zst")))
        for _ in range(2):
            check(lines_of(home, "a", "--raw") == [text_of("a", n) for n in range(4985, 5000)], "not the last 15")
            check(lines_of(home, "a", "--raw", "--lines", "3000") == [text_of("a", n) for n in range(2000, 5000)],
                  "not the last 3000, of active and packed segments")
            check(lines_of(home, "a", "--raw", "--lines", "0") == [], "lines though none were asked for")
            if home.pids():
                home.end()


def follow(home: Home, *arguments, path=None) -> subprocess.Popen:
    """`pmx logs` that goes on, into a file."""
    with open(path or home.work / "followed", "wb") as out:
        return home.spawn("logs", *arguments, stdout=out, stderr=subprocess.STDOUT)


def follow_from_now(home: Home, *arguments) -> subprocess.Popen:
    """The same, for people, from the next line on: none of what is printed after this call is missed."""
    follower = follow(home, *arguments, "--lines", "0")
    wait_for("the follower", lambda: "[TAILING]" in (home.work / "followed").read_text())
    return follower


def test_follow_through_rotations_and_kills_of_the_daemon():
    with Home() as home:
        home.start_numbered("a", *SMALL, rate=3000)
        follower = follow(home, "a", "--raw", "--lines", "5")
        followed = home.work / "followed"
        wait_for("the follower's first lines", lambda: followed.stat().st_size > 1000)
        for _ in range(5):
            home.kill_daemon()
            time.sleep(0.4)
        home.stop_all()
        count = home.count("a")
        last = text_of("a", count - 1)
        wait_for("the last line", lambda: last.encode() in followed.read_bytes()[-2000:])
        follower.send_signal(signal.SIGINT)
        check(follower.wait(10) == 0, f"Ctrl-C ends with {follower.returncode}")
        lines = [line for line in followed.read_text().splitlines() if line.startswith("a:")]
        first = int(lines[0].split(":")[1])
        for at, line in enumerate(lines):
            check(line == text_of("a", first + at), f"line {at} after {first} is {line[:60]!r}")
        check(first + len(lines) == count, "the last lines are missing")


def test_follow_begins_before_the_app_and_sees_all_apps():
    with Home() as home:
        shell(home, "one", "echo first; sleep 60")
        follow_from_now(home)
        shell(home, "two", "echo 'of two'; echo 'error of two' >&2; sleep 60")
        text = wait_for("lines of the new app",
                        lambda: (t := (home.work / "followed").read_text()).count("of two") == 2 and t)
        check(re.search(r"^1\|two\s+\| of two$", text, re.M), f"prefixes are not PM2's: {text!r}")


def test_merges_workers_in_time_order():
    with Home() as home:
        home.start_numbered("a", rate=500, count=1500)
        home.start_numbered("b", rate=500, count=1500)
        wait_for("both are through", lambda: (home.work / "a.count").exists() and (home.work / "b.count").exists())
        home.run("stop", "all")
        out = lines_of(home, "--raw", "--lines", "1500")
        names = [line[0] for line in out]
        turns = sum(x != y for x, y in zip(names, names[1:]))
        check(turns > 50, f"{turns} changes between two workers that print at the same time")
        for name in "ab":
            numbers = [int(line.split(":")[1]) for line in out if line[0] == name]
            check(numbers == sorted(numbers), "a worker's lines are out of order")


def test_filters():
    script = ("echo '{\"level\":30,\"msg\":\"fine\"}'; echo '{\"level\":40,\"msg\":\"careful\"}';"
              "echo '{\"level\":\"error\",\"msg\":\"broken 42\"}'; echo 'WARN plain';"
              "echo 'plain 7'; echo 'to stderr' >&2")
    with Home() as home:
        shell(home, "a", script)
        ended(home, "a")
        out = lines_of(home, "a", "--raw", "--level", "warn", "--out")
        check([("careful" in x, "broken" in x, "WARN" in x) for x in out] ==
              [(True, False, False), (False, True, False), (False, False, True)], f"--level warn: {out}")
        check(len(lines_of(home, "a", "--raw", "--grep", r"\d{2}")) == 3, "--grep")
        check(lines_of(home, "a", "--raw", "--err") == ["to stderr"] or
              "to stderr" in home.run("logs", "a", "--raw", "--err", "--nostream").stderr, "--err")
        check(not any("stderr" in x for x in lines_of(home, "a", "--raw", "--out")), "--out")
        records = [json.loads(x) for x in lines_of(home, "a", "--json")]
        check(len(records) == 6 and {r["app_name"] for r in records} == {"a"}, f"--json: {records}")
        check({r["type"] for r in records} == {"out", "err"}, "--json: types")
        check("bad" in (e := home.run("logs", "a", "--nostream", "--grep", "(", ok=False).stderr) or e.strip(),
              "a wrong pattern is not explained")


def test_since_and_until():
    with Home() as home:
        shell(home, "a", "echo early; sleep 15; echo late")
        ended(home, "a")
        check(lines_of(home, "a", "--raw", "--since", "14s") == ["late"], "--since 14s")
        check(lines_of(home, "a", "--raw", "--since", "1h") == ["early", "late"], "--since 1h")
        check(lines_of(home, "a", "--raw", "--until", "14s") == ["early"], "--until 14s")
        check(lines_of(home, "a", "--raw", "--since", "2020-01-01T10:00") == ["early", "late"], "a date")
        check(lines_of(home, "a", "--raw", "--until", "2020-01-01") == [], "an old date")


def rss_kib(pid: int) -> int:
    text = open(f"/proc/{pid}/smaps_rollup").read()
    return int(re.search(r"^Pss_Anon:\s+(\d+)", text, re.M)[1])


def test_a_stopped_follower_costs_the_daemon_nothing():
    with Home() as home:
        home.start_numbered("a", "--rotate-max-size", "4M", rate=30_000, how="chunks")
        read_end, write_end = os.pipe()  # Nobody reads: the follower hangs in its write.
        follower = home.spawn("logs", "a", "--raw", stdout=write_end)
        time.sleep(0.5)
        follower.send_signal(signal.SIGSTOP)
        daemon = home.ping()["daemon_pid"]
        before = rss_kib(daemon)
        time.sleep(size(4, 30))
        grown = rss_kib(daemon) - before
        check(home.ping()["daemon_pid"] == daemon and alive(daemon), "the daemon is another one")
        check(grown < 2048, f"the daemon grew by {grown} KiB")
        os.close(read_end)
        os.close(write_end)


def on_terminal(home: Home, *arguments) -> bytes:
    """What a command prints to a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        env = {k: v for k, v in home.env.items() if k != "NO_COLOR"} | {"TERM": "xterm"}
        os.execve(PMX, [PMX, *arguments], env)
    seen = b""
    try:
        while piece := os.read(terminal, 65536):
            seen += piece
    except OSError:  # EIO: the other end is closed.
        pass
    os.waitpid(pid, 0)
    return seen


def test_only_colours_reach_a_terminal():
    with Home() as home:
        shell(home, "a", r"printf '\033[31mred\033[0m \033]0;title\007 \033[2Jgone \001x\n'")
        ended(home, "a")
        seen = on_terminal(home, "logs", "a", "--nostream")
        check(b"\x1b[31mred" in seen, f"the colour is gone: {seen!r}")
        check(b"\x1b]0;" not in seen and b"\x1b[2J" not in seen and b"\x07" not in seen, f"control bytes: {seen!r}")
        check(b"^[" in seen, f"control bytes do not show: {seen!r}")
        plain = home.run("logs", "a", "--nostream", "--raw", binary=True).stdout
        check(b"\x1b]0;title\x07" in plain, "raw bytes are changed where no terminal is")


def test_no_colour_when_not_a_terminal_and_a_closed_pipe_is_no_error():
    with Home() as home:
        home.start_numbered("a", "--no-autorestart", rate=1e9, count=20000)
        ended(home, "a")
        check(b"\x1b" not in home.run("logs", "a", "--nostream", binary=True).stdout, "colours in a pipe")
        done = subprocess.run(["bash", "-c", f"set -o pipefail; {PMX} logs a --raw --lines 20000 --nostream | head -1"],
                              env=home.env, capture_output=True, text=True)
        check(not done.stderr, f"a closed pipe: {done.stderr!r}")


def test_lines_can_be_said_as_tail_has_it():
    with Home() as home:
        shell(home, "a", "for i in 1 2 3 4 5; do echo line $i; done")
        ended(home, "a")
        check(home.run("logs", "a", "-n", "2", "--nostream", "--raw").stdout == "line 4\nline 5\n", "-n 2 means something else")
        check('"many" is not a number of lines' in home.run("logs", "a", "-n", "many", ok=False).stderr, "no line of it")


def test_pm2_logs_of_the_daemon_itself_and_unknown_names():
    with Home() as home:
        shell(home, "a", "echo x")
        check("a" in home.run("logs", "PM2", "--nostream", "--lines", "50").stdout, "pmx.log is not shown")
        done = home.run("logs", "nobody", "--nostream", ok=False)
        check("nobody" in done.stderr, f"the error is {done.stderr!r}")


if __name__ == "__main__":
    run_tests()
