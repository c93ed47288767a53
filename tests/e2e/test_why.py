"""Crash loops are seen, and `pmx why` tells how a run ended, by whom, and what it said last."""
import os
import signal
import time

from harness import Home, check, run_tests, wait_for


def shell(home: Home, name: str, script: str, *options) -> None:
    home.start(name, "/bin/sh", "--interpreter", "none", *options, args=["-c", script])


def error_log(home: Home, name: str) -> str:
    return (home.logs / f"{name}-error.log").read_text()


def told(home: Home, name: str, *words: str) -> None:
    said = home.run("why", name).stdout
    for word in words:
        check(word in said, f"{word!r} is not told of {name}:\n{said}")


def test_a_run_that_fails_at_once_is_told_with_its_last_words():
    with Home() as home:
        shell(home, "early", "echo starting; echo 'no module named x' >&2; exit 3", "--restart-delay", "60s")
        wait_for("it has ended", lambda: home.status("early") == "waiting restart")
        told(home, "early", "exit code 3", "a wait of 60000 ms", "first second", "no module named x", "start it again")
        check("starting" not in home.run("why", "early").stdout, "standard output is told as well")


def test_what_node_says_of_a_missing_module_is_among_the_last_words():
    with Home() as home:
        (home.work / "app.js").write_text("require('./gone')\n")
        home.start("bad", home.work / "app.js", "--no-autorestart")
        wait_for("it has ended", lambda: home.status("bad") == "stopped")
        told(home, "bad", "Cannot find module './gone'", "its last words say which")


def test_last_words_are_those_of_the_run_that_ended_and_not_of_older_ones():
    with Home() as home:
        (home.work / "n").write_text("0")
        shell(home, "a", f"echo run $(cat {home.work}/n) >&2; exec sleep 1000", "--no-autorestart")
        for number in (1, 2):  # Each run says a number of its own.
            wait_for("it has said its number", lambda: f"run {number - 1}\n" in error_log(home, "a"))
            time.sleep(2.5)  # Longer than what is looked at around a run's end.
            (home.work / "n").write_text(str(number))
            home.run("restart", "a")
        wait_for("it has said its number", lambda: "run 2\n" in error_log(home, "a"))
        home.run("stop", "a")
        told(home, "a", "was told to stop, and did", "| run 2")
        check("run 0" not in home.run("why", "a").stdout, "an older run's words are told")


def test_who_killed_it_is_told():
    with Home() as home:
        shell(home, "stubborn", "trap '' INT; echo ready; while :; do sleep 0.05; done", "--kill-timeout", "300")
        wait_for("it is ready", lambda: (home.logs / "stubborn-out.log").exists()
                 and (home.logs / "stubborn-out.log").read_text())
        home.run("stop", "stubborn")
        told(home, "stubborn", "killed by pmx", "kill_timeout (300 ms)", "raise kill_timeout")
        home.start("victim", "/bin/sleep", "--no-autorestart", args=["1000"])
        os.kill(home.app("victim")["pid"], signal.SIGKILL)
        wait_for("it has ended", lambda: home.status("victim") == "stopped")
        told(home, "victim", "SIGKILL by somebody else than pmx")


def test_a_crash_loop_shows_in_the_list():
    with Home() as home:
        shell(home, "loop", "sleep 0.05; exit 1", "--max-restarts", "1000000")
        wait_for("three restarts", lambda: home.app("loop")["pmx"]["restarts_last_minute"] >= 3)
        said = home.run("list")
        check("crash loop" in said.stdout + said.stderr and "pmx why" in said.stdout + said.stderr, said.stdout)
        told(home, "loop", "in the last minute")


def test_restarts_that_were_asked_for_are_no_crash_loop():
    with Home() as home:
        home.start("web", "/bin/sleep", args=["1000"])
        for _ in range(4):
            home.run("restart", "web")
        check("crash loop" not in home.run("list").stdout, "restarts by hand are called a crash loop")
        check(home.app("web")["pm2_env"]["restart_time"] == 4, "they are counted as restarts")


def test_why_of_nobody():
    with Home() as home:
        check("nobody doesn't exist" in home.run("why", "nobody", ok=False).stderr, "why nobody")


if __name__ == "__main__":
    run_tests()
