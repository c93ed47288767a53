"""New workers are asked whether they are well before they take over, and a rollback brings back what ran before.
Nobody whose request was on its way may notice any of it."""
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from cluster import APPS, Site, each_node
from harness import Home, alive, check, run_tests, wait_for

LISTEN = ["--listen-timeout", 20000]  # A loaded machine takes its time to start node.


def asked(site) -> list[int]:
    """Pids of the workers that were asked, in order."""
    lines = "".join(path.read_text() for path in sorted(site.logs.glob("web-out*.log"))).splitlines()
    return [int(line.split()[0]) for line in lines if line.endswith("was asked")]


def refused(site, *words, env=None, options=()) -> str:
    """A reload that ends with an error and leaves all as it was; what it has said."""
    before = site.workers()
    done = site.run("reload", "web", "--update-env", *options, ok=None, timeout=120, env=env)
    said = done.stdout + done.stderr
    check(done.returncode == 1, f"exit code {done.returncode}: {said}")
    for word in words:
        check(word in said, f"{word!r} is not said: {said}")
    check(site.workers() == before, f"workers were {before}, are {site.workers()}")
    return said


@each_node
def test_a_release_that_answers_wrongly_does_no_harm(node):
    with Site(node) as site:
        site.start_web(3, "--health", "/health", "--health-within", "5s", *LISTEN, script="health.js")
        before = site.workers()
        with site.loads("close", "keep", connections=6) as loads:
            refused(site, "the new process answers GET /health with 503, not 200", "the database says no",
                    env={"HEALTH_STATUS": "503"})
            loads.go_on()
            listed = site.run("list")
            check(listed.stdout.count("online") == 3, listed.stdout)
            check("GET /health" in listed.stdout + listed.stderr, f"list does not tell of it: {listed.stdout}")
            done = site.run("reload", "web", "--rollback", ok=False)
            said = done.stdout + done.stderr
            check("nothing to go back to" in said, said)
            check("the database says no" not in said, f"these are the words of the reload before: {said}")
            site.run("reload", "web", "--update-env", timeout=120, env={"VERSION": "2"})
            site.check_replaced(before)
        loads.check_none_failed()
        check({answer["version"] for answer in site.everybody(3).values()} == {"2"}, "the release is not the new one")


def answering(site) -> set[int]:
    """Who answers to clients of many addresses: with `sticky` one address has one worker."""
    found = set()
    for i in range(1, 32):
        client = http.client.HTTPConnection("127.0.0.1", site.port, timeout=5, source_address=(f"127.0.0.{i}", 0))
        with contextlib.closing(client), contextlib.suppress(OSError, http.client.HTTPException):
            client.request("GET", "/", headers={"Connection": "close"})
            found.add(json.loads(client.getresponse().read())["pid"])
    return found


def asks_only_new_ones(node, balance: str) -> None:
    with Site(node) as site:
        site.start_web(3, "--health", "/health", "--health-expect", "db: up", "--balance", balance, *LISTEN,
                       script="health.js", wait=False)
        wait_for("answers of all three", lambda: len(answering(site)) == 3)
        before = set(site.workers().values())
        with site.loads("close", connections=4) as loads:
            site.run("reload", "web", timeout=120)
        loads.check_none_failed()
        now = set(site.workers().values())
        check(set(asked(site)) == now and len(asked(site)) == 3, f"asked were {asked(site)}, new are {now}")
        check(not now & before, "not replaced")


@each_node
def test_each_new_worker_is_asked_and_no_other_with_slots(node):
    asks_only_new_ones(node, "slots")


@each_node
def test_each_new_worker_is_asked_and_no_other_with_one_queue(node):
    asks_only_new_ones(node, "shared")


@each_node
def test_each_new_worker_is_asked_and_no_other_with_sticky(node):
    asks_only_new_ones(node, "sticky")


@each_node
def test_one_that_is_not_well_at_once_gets_its_time(node):
    with Site(node) as site:
        site.start_web(1, "--health", "/health", *LISTEN, script="health.js")
        before = site.workers()
        site.run("reload", "web", "--update-env", timeout=120, env={"WARM_MS": "1500"})
        site.check_replaced(before)
        check(len(asked(site)) > 1, f"asked were {asked(site)}")


@each_node
def test_text_that_is_missing_and_answers_that_do_not_come_are_said(node):
    with Site(node) as site:
        site.start_web(2, "--health", "/health", "--health-expect", "/^db: (up|warm)$/", "--health-within", "5s",
                       *LISTEN, script="health.js")
        refused(site, "with 200 and without /^db: (up|warm)$/", env={"HEALTH_BODY": "db: down"})
        refused(site, "gives no answer to GET /600000 (health, asked for 1000 ms)",
                options=("--health", "/600000", "--health-within", "1s"))
        refused(site, "it does not listen on 9", options=("--health-port", "9"))
        wrong = site.run("reload", "web", "--health-expect", "/(/", ok=False)
        check("health.expect" in wrong.stdout + wrong.stderr, wrong.stdout + wrong.stderr)


@each_node
def test_a_reload_goes_on_where_the_daemon_dies_while_one_is_asked(node):
    with Site(node) as site:
        site.start_web(2, "--health", "/1000", *LISTEN)
        before = site.workers()
        with site.loads("close", "keep", connections=4) as loads:
            reload = site.spawn("reload", "web", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            wait_for("a new worker", lambda: len(children_of_web(site)) > 2, 60)
            time.sleep(0.7)
            site.kill_daemon()
            said, _ = reload.communicate(timeout=120)
            check(reload.returncode == 0 or "not known whether" in said, f"{reload.returncode}: {said}")
            wait_for("all workers are new", lambda: len(site.workers()) == 2
                     and not set(site.workers().values()) & set(before.values()), 120)
        loads.check_none_failed()


def children_of_web(site) -> list[int]:
    """Processes of the app, also those that the list does not show yet."""
    script = str(site.app_dir / "web.js").encode()
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                found += [int(name)] if script in file.read().split(b"\0") else []
        except OSError:
            continue
    return found


# Rollbacks.

class Deploys(Site):
    """Releases in directories of their own, and a link `current` to the one that is deployed."""

    def __init__(self, node):
        super().__init__(node)
        for version in ("1", "2"):
            shutil.copytree(APPS, self.work / "releases" / version)
            (self.work / "releases" / version / "version").write_text(version)
        self.point_to("1")

    def point_to(self, version: str) -> None:
        link = self.work / "next"
        link.symlink_to(f"releases/{version}")
        link.rename(self.work / "current")

    def start_current(self, workers: int, *options) -> None:
        self.start("web", str(self.work / "current" / "web.js"), "-i", workers, *options, *LISTEN)
        self.check_version("1", workers)

    def check_version(self, version: str, workers: int = 2) -> None:
        versions = {answer["version"] for answer in self.everybody(workers).values()}
        check(versions == {version}, f"version {version} was to run, it is {versions}")


@each_node
def test_a_rollback_brings_the_release_of_before_back_and_fails_none(node):
    with Deploys(node) as site:
        site.start_current(2)
        with site.loads("close", "keep", connections=6) as loads:
            site.point_to("2")
            site.run("reload", "web", timeout=120)
            site.check_version("2")
            before = site.workers()
            done = site.run("reload", "web", "--rollback", timeout=120)
            check(f"{site.work}/current/web.js leads elsewhere now" in done.stdout + done.stderr, done.stdout)
            site.check_replaced(before)
            site.check_version("1")
            loads.go_on()
            # Of itself it stays there.
            before = site.workers()
        loads.check_none_failed()
        os.kill(before[0], signal.SIGKILL)
        wait_for("the worker is back", lambda: site.workers().get(0, before[0]) != before[0], 30)
        site.check_version("1")
        with site.loads("close", "keep", connections=6) as loads:
            site.run("reload", "web", "--rollback", timeout=120)
            site.check_version("2")
            site.run("reload", "web", "--rollback", timeout=120)
            site.check_version("1")
            site.run("reload", "web", timeout=120)
            site.check_version("2")  # The link is followed again.
        loads.check_none_failed()


@each_node
def test_a_rollback_takes_the_environment_and_the_arguments_back(node):
    with Site(node) as site:
        def runs_with(*arguments: str) -> bool:
            """What the processes have, and what is said of them."""
            ends = {tuple(Path(f"/proc/{pid}/cmdline").read_text().split("\0")[-len(arguments) - 1:-1])
                    for pid in site.workers().values()}
            said = {tuple(app["pm2_env"]["args"]) for app in site.instances().values()}
            return ends == said == {arguments}

        site.start_web(2, *LISTEN, env={"VERSION": "1"}, args=["--colour", "red"])
        check(runs_with("--colour", "red"), "the start")
        site.run("reload", "web", "--update-env", "--", "--colour", "blue", env={"VERSION": "2"}, timeout=120)
        check({a["version"] for a in site.everybody(2).values()} == {"2"}, "the reload")
        check(runs_with("--colour", "blue"), "the reload's arguments")
        site.run("reload", "web", timeout=120)  # Changes nothing, and so is nothing to go back to.
        site.kill_daemon()
        site.run("reload", "web", "--rollback", timeout=120)
        check({a["version"] for a in site.everybody(2).values()} == {"1"}, "the rollback")
        check(runs_with("--colour", "red"), "the rollback's arguments")
        mode = (site.path / "state" / "apps.json").stat().st_mode & 0o777
        check(mode == 0o600, f"{mode:o}")


@each_node
def test_a_rollback_goes_on_where_the_daemon_dies(node):
    with Deploys(node) as site:
        site.start_current(2)
        site.point_to("2")
        site.run("reload", "web", timeout=120)
        before = site.workers()
        with site.loads("close", "keep", connections=4) as loads:
            known = loads.pids()
            reload = site.spawn("reload", "web", "--rollback", stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True)
            wait_for("the first new worker", lambda: loads.pids() - known, 60)
            site.kill_daemon()
            said, _ = reload.communicate(timeout=120)
            check(reload.returncode == 0 or "not known whether" in said, f"{reload.returncode}: {said}")
            wait_for("all workers are new", lambda: len(site.workers()) == 2
                     and not set(site.workers().values()) & set(before.values()), 120)
        loads.check_none_failed()
        site.check_version("1")
        wait_for("the old ones are gone", lambda: not any(map(alive, before.values())))


def test_nothing_to_go_back_to_is_one_line_and_an_error():
    with Home() as home:
        home.start("job", "/bin/sleep", args=["1000"])
        done = home.run("reload", "job", "--rollback", ok=False)
        check("job has nothing to go back to" in done.stdout + done.stderr, done.stdout + done.stderr)
        done = home.run("reload", "nobody", "--rollback", ok=False)
        check("nobody" in done.stdout + done.stderr, done.stdout + done.stderr)
        done = home.run("reload", "e.json", "--rollback", ok=False)
        check("give the app's name in place of e.json" in done.stdout + done.stderr, done.stdout + done.stderr)
        pid = home.list()[0]["pid"]
        check(alive(pid), "it was disturbed")


def test_a_separate_process_that_cannot_live_is_rolled_back_too():
    with Home() as home:
        home.start("job", "/bin/sh", "--min-uptime", "300", args=["-c", "exec sleep 1000"])
        time.sleep(0.5)
        home.run("restart", "job", "--max-restarts", "2", "--", "-c", "exit 3")
        wait_for("it is given up", lambda: home.list()[0]["pm2_env"]["status"] == "errored")
        home.run("reload", "job", "--rollback")
        job = home.list()[0]["pm2_env"]
        check(job["status"] == "online" and job["args"] == ["-c", "exec sleep 1000"], f"{job['status']} {job['args']}")
        check(job["max_restarts"] == 2, "what is no part of the program has changed")


if __name__ == "__main__":
    run_tests()
