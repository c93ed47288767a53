"""Every mistake of a user gets one clear line and exit code 1; commands wait for a restarting daemon."""
import os
import re
import signal
import socket
import subprocess
import threading
import time

from harness import Home, check, run_tests, wait_for


def one_line(home: Home, *arguments, says: str, **options) -> None:
    done = home.run(*arguments, ok=False, **options)
    text = done.stderr.strip()
    check(len(text.splitlines()) == 1, f"pmx {' '.join(map(str, arguments))}: not one line: {text!r}")
    check(re.search(says, text), f"pmx {' '.join(map(str, arguments))}: {text!r} does not say {says!r}")


def test_mistakes():
    with Home() as home:
        home.start("a", "/bin/sleep", args=["1000"])
        one_line(home, "start", "no-such-file.js", says="no-such-file.js")
        one_line(home, "stop", "nobody", says="nobody")
        one_line(home, "restart", "99", says="99")
        one_line(home, "delete", "nobody", says="nobody")
        one_line(home, "describe", "nobody", says="nobody")
        one_line(home, "logs", "a", "--nostream", "--lines", "many", says="many")
        one_line(home, "start", "/bin/sleep", "--no-such-option", says="no-such-option")
        one_line(home, "start", "/bin/sleep", "--name", "a", says="(?i)already")
        one_line(home, "start", "/bin/sleep", "--name", "c", "--cwd", "/no/such/dir", says="/no/such/dir")
        one_line(home, "start", "missing.config.js", says="missing.config.js")
        one_line(home, "logs", "a", "--nostream", "--since", "yesterdayish", says="yesterdayish")
        check(home.run("strat", "x", ok=False).stdout + home.run("strat", ok=False).stderr, "an unknown command says nothing")
        (home.work / "bad.config.js").write_text("module.exports = { apps: [ { name: 'x' ")
        done = home.run("start", "bad.config.js", ok=False)
        check("bad.config.js" in done.stderr, f"a broken file: {done.stderr!r}")
        check([app["name"] for app in home.list()] == ["a"], "a mistake started something")


def test_help_and_version_need_no_daemon():
    with Home() as home:
        check("start" in home.run("--help").stdout, "--help")
        check(re.fullmatch(r"[\d.]+\n", home.run("--version").stdout), "--version")
        check(not home.pids(), "a daemon was started for it")
        home.run("kill")
        check(not home.pids(), "kill started a daemon")


def test_a_program_that_cannot_run_is_reported():
    with Home() as home:
        script = home.work / "not-executable"
        script.write_bytes(b"\x7fELF" + bytes(100))
        script.chmod(0o755)
        done = home.run("start", str(script), "--interpreter", "none", "--name", "x", ok=None)
        wait_for("errored", lambda: home.status("x") in ("errored", "stopped"))
        text = done.stderr + home.own_log()
        check("xec format error" in text, f"the reason is not said: {text[-500:]!r}")


def test_commands_wait_while_the_daemon_is_restarted():
    with Home() as home:
        home.start("a", "/bin/sleep", args=["1000"])
        stop = threading.Event()

        def kill_often() -> None:
            while not stop.is_set():
                try:
                    os.kill(int((home.path / "pmx.pid").read_text()), signal.SIGKILL)
                except (OSError, ValueError):
                    pass
                stop.wait(0.15)

        killer = threading.Thread(target=kill_often)
        killer.start()
        try:
            for _ in range(30):
                check(home.app("a")["pm2_env"]["status"] == "online", "list is wrong while daemons die")
            home.run("restart", "a")
            home.run("stop", "a")
        finally:
            stop.set()
            killer.join()
        check(home.status("a") == "stopped", "stop was lost")


def test_two_first_commands_at_once_make_one_daemon():
    with Home() as home:
        commands = [home.spawn("list", stdout=subprocess.DEVNULL) for _ in range(8)]
        check(all(command.wait(30) == 0 for command in commands), "a command failed")
        ping = home.ping()
        own = {ping["keeper_pid"], ping["daemon_pid"]}
        wait_for("one keeper and one daemon", lambda: set(home.pids()) == own, 5)


def test_a_home_of_pm2_is_refused():
    with Home() as home:
        home.path.mkdir()
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(home.path / "rpc.sock"))
        listener.listen()
        title = f"PM2 v7.0.4: God Daemon ({home.path})"
        god = subprocess.Popen(["bash", "-c", 'exec -a "$0" sleep 1000', title])
        try:
            (home.path / "pm2.pid").write_text(str(god.pid))
            time.sleep(0.2)
            one_line(home, "list", says="(?i)pm2")
            check(not home.pids(), "a daemon was started there")
        finally:
            god.kill()
            god.wait()
            listener.close()


def test_an_unwritable_home_is_explained():
    with Home() as home:
        home.path.write_text("a file, no directory")
        one_line(home, "list", says=re.escape(str(home.path)))


def test_list_shows_what_a_user_looks_for():
    with Home() as home:
        home.start("web", "/bin/sleep", args=["1000"])
        text = home.run("list").stdout
        for word in ("web", "online", "fork", "id", "status", "uptime"):
            check(word in text, f"{word} is not in list:\n{text}")
        shown = home.run("describe", "web").stdout
        for word in ("web", "/bin/sleep", "web-out.log", "restarts", "online"):
            check(word in shown, f"{word} is not in describe:\n{shown}")


if __name__ == "__main__":
    run_tests()
