"""kill -9 of the keeper, and of keeper and daemon at once."""
import os
import signal
import time

from harness import Home, alive, check, check_lines, read_log, run_tests, wait_for
from numbered import text_of

ROTATE = ["--rotate-max-size", "256K", "--rotate-retain", "0"]


def kill_keeper(home: Home) -> int:
    before = home.ping()["keeper_pid"]
    os.kill(before, signal.SIGKILL)
    return wait_for("another keeper", lambda: (now := home.ping()["keeper_pid"]) != before and now)


def kill_both(home: Home) -> None:
    """The keeper cannot see the daemon's death, nor the daemon the keeper's."""
    ping = home.ping()
    os.kill(ping["keeper_pid"], signal.SIGSTOP)
    os.kill(ping["daemon_pid"], signal.SIGSTOP)
    os.kill(ping["daemon_pid"], signal.SIGKILL)
    os.kill(ping["keeper_pid"], signal.SIGKILL)
    wait_for("both dead", lambda: not alive(ping["daemon_pid"]) and not alive(ping["keeper_pid"]))


def test_workers_outlive_two_keepers_and_lose_no_line():
    with Home() as home:
        home.start_numbered("a", *ROTATE, how="halves")
        home.start_numbered("b", *ROTATE, "--log-type", "json")
        workers, daemon = home.worker_pids(), home.ping()["daemon_pid"]
        for _ in range(2):
            kill_keeper(home)
            time.sleep(0.3)
        check(home.ping()["daemon_pid"] == daemon, "the daemon is another one")
        check(home.worker_pids() == workers, "workers were restarted")
        home.kill_daemon()  # The new keeper serves a new daemon as the old one did.
        time.sleep(0.3)
        check(home.worker_pids() == workers, "workers were restarted by the daemon's death")
        check(all(app["pm2_env"]["status"] == "online" for app in home.list()), "not all are online")
        home.stop_all()
        check(not any(map(alive, workers.values())), "an adopted worker was not stopped")
        check({home.status(n) for n in "ab"} == {"stopped"}, "not listed as stopped")
        home.run("start", "a")
        wait_for("a is online again", lambda: home.status("a") == "online")
        time.sleep(0.2)
        home.stop_all()
        home.kill()
        check_lines(read_log(home.logs / "a-out.log"), {"a": home.count("a")})
        check_lines(read_log(home.logs / "b-out.log"), {"b": home.count("b")}, "json")


def test_the_exit_of_an_adopted_worker_is_seen():
    with Home() as home:
        home.start("brief", "/bin/sh", "--no-autorestart", "--interpreter", "none",
                   args=["-c", "echo first; sleep 2; echo last; exit 7"])
        kill_keeper(home)
        wait_for("brief stopped", lambda: home.status("brief") in ("stopped", "errored"))
        home.kill()
        check(read_log(home.logs / "brief-out.log") == b"first\nlast\n", "a line is missing")


def lives_of(data: bytes, name: str) -> list[int]:
    """How many lines each life of the worker has: whole ones, 0 … n-1."""
    lives, following = [], None
    check(data.endswith(b"\n"), f"a torn line at the end: {data[-80:]!r}")
    for raw in data.split(b"\n")[:-1]:
        line = raw.decode()
        number = int(line.split(":")[1]) if line.startswith(name + ":") else -1
        check(line == text_of(name, number), f"a torn line: {line[:120]!r}")
        if number == 0:
            lives.append(0)
            following = 0
        check(number == following, f"{name} has {number} where {following} should be")
        following += 1
        lives[-1] = following
    return lives


def test_both_die_at_once_and_the_apps_come_back():
    with Home() as home:
        home.start("first", "/bin/sh", "--no-autorestart", "--interpreter", "none", args=["-c", "exit 0"])
        home.start_numbered("a", *ROTATE, how="halves")
        home.start_numbered("b", *ROTATE, how="chunks", rate=20000)
        home.run("restart", "b")
        wait_for("lines", lambda: b"a:000000000:" in read_log(home.logs / "a-out.log"))
        time.sleep(1)
        before = {app["name"]: app for app in home.list()}
        kill_both(home)
        after = {app["name"]: app for app in home.list()}
        for name in ("a", "b"):
            check(not alive(before[name]["pid"]), f"{name}'s leftover {before[name]['pid']} still runs")
            wait_for(f"{name} is back", lambda n=name: home.status(n) == "online")
            check(after[name]["pm_id"] == before[name]["pm_id"], f"{name} has another id")
        check(after["b"]["pm2_env"]["restart_time"] >= 1, "the count of restarts is gone")
        check(home.status("first") == "stopped", "what was stopped is not stopped")
        check("lost" in home.own_log(), "pmx.log does not say what may be lost")
        told = home.run("why", "b").stdout
        check("was ended, since pmx's keeper and daemon had both ended" in told, told)
        home.start_numbered("new", *ROTATE)
        used = {app["pm_id"] for app in before.values()}
        check(home.app("new")["pm_id"] not in used, "an id was used twice")
        wait_for("a's second life", lambda: read_log(home.logs / "a-out.log").count(b"a:000000000:") == 2)
        time.sleep(0.5)
        home.stop_all()
        home.kill()
        lives = lives_of(read_log(home.logs / "a-out.log"), "a")
        check(len(lives) == 2 and lives[0] > 0, f"two lives of a, not {lives}")
        check(lives[1] == home.count("a"), "lines of the second life are missing")


if __name__ == "__main__":
    run_tests()
