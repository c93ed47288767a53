"""Many workers at once, each with a file of its own, while the daemon is killed."""
import time

from harness import HERE, Home, check, run_tests, size, wait_for

WORKERS = size(100, 1000)
LINES = 40


def test_many_workers_keep_every_line():
    with Home() as home:
        home.start("many", "/bin/sh", "--interpreter", "none", "-i", WORKERS, "--no-autorestart",
                   args=[HERE / "many.sh", LINES], timeout=300)
        ids = [app["pm_id"] for app in home.list()]
        check(len(ids) == WORKERS and len(set(ids)) == WORKERS, f"{len(ids)} workers")
        keeper = home.ping()["keeper_pid"]
        for _ in range(5):
            home.kill_daemon()
            time.sleep(0.2)
        check(home.ping()["keeper_pid"] == keeper, "the keeper is another one")
        wait_for("every worker's end",
                 lambda: all(app["pm2_env"]["status"] == "stopped" for app in home.list()), 300)
        home.kill()
        seen = set()
        for worker in ids:
            text = (home.logs / f"many-out-{worker}.log").read_text()
            instance = text.split(" ", 1)[0]
            check(text == "".join(f"{instance} {n}\n" for n in range(1, LINES + 1)),
                  f"worker {worker}: {text[:200]!r}")
            seen.add(instance)
        check(len(seen) == WORKERS, "two workers had the same number")


if __name__ == "__main__":
    run_tests()
