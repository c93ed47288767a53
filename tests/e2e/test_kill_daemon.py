"""kill -9 of the daemon at random moments under load: every line exactly once and in order, no worker
restarted, the keeper the same."""
import os
import random
import signal
import time

from harness import Home, check, check_lines, read_log, run_tests, size, wait_for

KILLS = size(20, 200)
ROTATE = ["--rotate-max-size", "256K", "--rotate-retain", "0"]


def kill_at_random(home: Home, kills: int, seed: int) -> None:
    """Some right after the start of the last one, so that recovery is killed too."""
    random_ = random.Random(seed)
    for _ in range(kills):
        pid = home.ping()["daemon_pid"]
        time.sleep(random_.choice([random_.uniform(0, 0.002), random_.uniform(0, 0.3)]))
        os.kill(pid, signal.SIGKILL)
    wait_for("a daemon that answers", lambda: home.ping()["daemon_pid"])


def check_undisturbed(home: Home, keeper: int, workers: dict) -> None:
    check(home.ping()["keeper_pid"] == keeper, "the keeper is another one")
    check(home.worker_pids() == workers, f"workers were {workers}, are {home.worker_pids()}")
    check(all(app["pm2_env"]["restart_time"] == 0 for app in home.list()), "a worker was restarted")


def test_four_workers_in_four_looks():
    with Home() as home:
        home.start_numbered("raw", *ROTATE, how="halves")
        home.start_numbered("chunks", *ROTATE, how="chunks", rate=20000)
        home.start_numbered("dated", *ROTATE, "--time")
        home.start_numbered("json", *ROTATE, "--log-type", "json")
        keeper, workers = home.ping()["keeper_pid"], home.worker_pids()
        kill_at_random(home, KILLS, 1)
        check_undisturbed(home, keeper, workers)
        home.stop_all()
        home.kill()
        for name, look in [("raw", "raw"), ("chunks", "raw"), ("dated", "time"), ("json", "json")]:
            check_lines(read_log(home.logs / f"{name}-out.log"), {name: home.count(name)}, look)


def test_merged_instances_and_a_combined_log():
    with Home() as home:
        home.start_numbered("web", *ROTATE, "-i", 2, "--merge-logs", how="halves", label="web%")
        home.start_numbered("both", *ROTATE, "--log", home.work / "both.log")
        home.start_numbered("gz", *ROTATE, "--rotate-compress", "gzip", how="chunks")
        keeper, workers = home.ping()["keeper_pid"], home.worker_pids()
        check(len(workers) == 4, f"4 workers were started, there are {len(workers)}")
        kill_at_random(home, KILLS, 2)
        check_undisturbed(home, keeper, workers)
        home.stop_all()
        home.kill()
        check_lines(read_log(home.logs / "web-out.log"), {n: home.count(n) for n in ("web0", "web1")})
        for path in (home.logs / "both-out.log", home.work / "both.log"):
            check_lines(read_log(path), {"both": home.count("both")})
        check_lines(read_log(home.logs / "gz-out.log"), {"gz": home.count("gz")})


def test_a_worker_that_ends_while_no_daemon_lives_is_known_with_its_exit_code():
    with Home() as home:
        home.start("brief", "/bin/sh", "--no-autorestart", "--interpreter", "none",
                   args=["-c", "echo first; sleep 1; echo last; exit 7"])
        pid = home.ping()["daemon_pid"]
        for _ in range(8):  # Dead or young over the moment of the exit.
            os.kill(pid, signal.SIGKILL)
            time.sleep(0.2)
            pid = home.ping()["daemon_pid"]
        wait_for("brief stopped", lambda: home.status("brief") in ("stopped", "errored"))
        check(home.app("brief")["pm2_env"]["exit_code"] == 7, "the exit code is not 7")
        home.kill()
        check(read_log(home.logs / "brief-out.log") == b"first\nlast\n", "a line is missing")


if __name__ == "__main__":
    run_tests()
