"""Cluster mode under load: reloads, releases that are broken, scaling, stops. Nobody whose request was on its way
may notice any of it."""
import contextlib
import json
import random
import subprocess
import time

from cluster import Asking, Datagrams, Site, each_node, has_ipv6
from harness import alive, check, run_tests, size, wait_for

RELOADS = size(3, 20)
LISTEN = ["--listen-timeout", 20000]  # A loaded machine takes its time to start node.


def reloads_under(kind: str, node) -> None:
    with Site(node) as site:
        site.start_web(4, *LISTEN)
        with site.loads(kind) as loads:
            for _ in range(RELOADS):
                before = site.workers()
                site.run("reload", "web", timeout=300)
                site.check_replaced(before)
                loads.go_on()
        loads.check_none_failed()


@each_node
def test_reloads_with_a_connection_for_each_request_fail_none(node):
    reloads_under("close", node)


@each_node
def test_reloads_with_connections_kept_alive_fail_none(node):
    reloads_under("keep", node)


@each_node
def test_reloads_with_connections_that_pause_fail_none(node):
    reloads_under("pauses", node)


@each_node
def test_reloads_with_requests_of_300_ms_fail_none(node):
    reloads_under("slow", node)


@each_node
def test_parallel_reloads_replace_as_many_at_once_and_fail_none(node):
    with Site(node, {"READY_AFTER": "1000"}) as site:
        site.start_web(4, "--wait-ready", *LISTEN, script="ready.js")
        with site.loads("close", "keep", connections=6) as loads:
            # After the canary there are three to do: two at once, then one.
            for options, at_once in ((["--parallel", 2], 2), ([], 1)):
                before = site.workers()
                site.run("reload", "web", *options, timeout=300)
                now = site.check_replaced(before)
                most = most_getting_ready(site, set(now.values()))
                check(most == at_once, f"reload {options}: up to {most} new workers at once were getting ready")
        loads.check_none_failed()


def most_getting_ready(site: Site, pids: set[int]) -> int:
    """How many of these workers of ready.js were between their start and `ready` at the same time, at the most."""
    def said():
        lines = [line.split() for path in site.logs.glob("web-out*.log") for line in path.read_text().splitlines()]
        steps = [(int(words[2]), 1 if words[1] == "begins" else -1) for words in lines
                 if words[0].isdigit() and int(words[0]) in pids]
        return steps if len(steps) == 2 * len(pids) else None

    now = most = 0
    for _, step in sorted(wait_for("what they print", said)):  # In the same millisecond an end comes first.
        now += step
        most = max(most, now)
    return most


@each_node
def test_ready_and_shutdown_are_waited_for_and_fail_none(node):
    with Site(node, {"READY_AFTER": "400"}) as site:
        site.start_web(2, "--wait-ready", "--shutdown-with-message", *LISTEN, script="ready.js")
        with site.loads("close", "keep", connections=6) as loads:
            before = site.workers()
            site.run("reload", "web", timeout=120)
            site.check_replaced(before)
        loads.check_none_failed()
        said = "".join(path.read_text() for path in site.logs.glob("web-out*.log"))
        check(said.count("told to shut down") == 2, f"the old workers have printed {said!r}")


def reloads_while(site: Site, asking: Asking) -> None:
    seen = set(site.workers().values())
    with asking:
        for _ in range(size(2, 20)):
            wait_for("answers of all", lambda: set(site.workers().values()) <= set(asking.answers), 30)
            before = site.workers()
            site.run("reload", "web", timeout=120)
            seen |= set(site.check_replaced(before).values())
        wait_for("answers of all", lambda: seen <= set(asking.answers), 30)
    asking.check_none_failed(seen)


@each_node
def test_reloads_of_a_unix_socket_fail_none(node):
    with Site(node) as site:
        path = str(site.work / "web.sock")
        site.start_web(4, script="web.js", wait=False, env={"PORT": path})
        site.everybody(4, unix=path)
        reloads_while(site, Asking(lambda: lambda: site.ask("/20", unix=path)["pid"], 8))


@each_node
def test_reloads_of_udp_lose_no_datagram(node):
    for host, family in (("127.0.0.1", "udp4"), *([("::1", "udp6")] if has_ipv6() else [])):
        with Site(node) as site:
            site.start_web(2, script="udp.js", wait=False, env={"UDP": family})

            def both_answer(host=host, seen=set()):
                with contextlib.suppress(ConnectionRefusedError):
                    seen.add(Datagrams(site, host).ask())
                return len(seen) == 2

            wait_for("answers of both", both_answer)
            reloads_while(site, Asking(lambda host=host: Datagrams(site, host).ask))


# Broken releases.

def reload_to_broken(node, release: str, last_words: str, kinds: tuple) -> None:
    with Site(node) as site:
        # One that listens and ends is on trial for min_uptime from its start, which node's has to fit in.
        site.start_web(4, "--listen-timeout", 4000, "--min-uptime", 4000)
        before = site.workers()
        with site.loads(*kinds, connections=6) as loads:
            site.deploy(release)
            done = site.run("reload", "web", ok=None, timeout=120)
            said = done.stdout + done.stderr
            check(done.returncode == 1, f"exit code {done.returncode}: {said}")
            check(last_words in said, f"the last words are not said: {said}")
            check(site.workers() == before, f"workers were {before}, are {site.workers()}")
            loads.go_on()
        loads.check_none_failed()
        listed = site.run("list")
        check(listed.stdout.count("online") == 4, listed.stdout)
        check("reload" in listed.stdout + listed.stderr, f"list does not tell of it: {listed.stdout}")
        # The next release is a good one.
        with site.loads(*kinds, connections=6) as loads:
            site.deploy("web", version="2")
            site.run("reload", "web", *LISTEN, timeout=120)
            site.check_replaced(before)
        loads.check_none_failed()
        check({answer["version"] for answer in site.everybody(4).values()} == {"2"}, "the release is not the new one")


@each_node
def test_a_release_that_throws_at_its_start_does_no_harm(node):
    reload_to_broken(node, "throws", "no database password in this release", ("close", "keep"))


@each_node
def test_a_release_that_never_listens_does_no_harm(node):
    reload_to_broken(node, "mute", "waiting for a database that is not there", ("close", "keep"))


@each_node
def test_a_release_that_listens_and_dies_does_no_harm(node):
    # It dies as the canary, which has no clients: with one, what it has accepted nobody could answer.
    reload_to_broken(node, "dies", "the database has refused us", ("close", "keep"))


@each_node
def test_a_release_that_listens_and_gives_up_does_no_harm(node):
    reload_to_broken(node, "gives_up", "the database is of another version", ("close", "keep"))


@each_node
def test_a_release_that_never_says_ready_does_no_harm(node):
    with Site(node) as site:
        site.start_web(2, "--wait-ready", "--listen-timeout", 4000, script="ready.js")
        before = site.workers()
        with site.loads("close", "keep", connections=6) as loads:
            done = site.run("reload", "web", "--update-env", ok=False, timeout=60, env={"READY_AFTER": "600000"})
            check("ready" in done.stdout + done.stderr, done.stdout + done.stderr)
            check(site.workers() == before, f"workers were {before}, are {site.workers()}")
        # It listened, and answered until it was told to go.
        loads.check_none_failed()


# The daemon dies in the middle.

@each_node
def test_a_reload_goes_on_where_the_daemon_dies(node):
    random_ = random.Random(3)
    with Site(node) as site:
        site.start_web(4, *LISTEN)
        with site.loads("close", "keep", connections=6) as loads:
            for _ in range(size(3, 10)):
                before = site.workers()
                known = loads.pids()
                reload = site.spawn("reload", "web", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
                wait_for("the first new worker", lambda: loads.pids() - known, 60)
                time.sleep(random_.uniform(0, 1))
                site.kill_daemon()
                said, _ = reload.communicate(timeout=120)
                check(reload.returncode == 0 or "not known whether" in said, f"{reload.returncode}: {said}")
                wait_for("all workers are new", lambda: not set(site.workers().values()) & set(before.values())
                         and len(site.workers()) == 4, 120)
                site.check_replaced(before)
                loads.go_on()
        loads.check_none_failed()


# Scaling, stopping, starting.

@each_node
def test_scaling_keeps_instance_0_and_fails_none(node):
    with Site(node) as site:
        site.start_web(4, *LISTEN)
        first = site.workers()
        with site.loads("close", "keep", connections=6) as loads:
            site.run("scale", "web", 6, timeout=120)
            wait_for("six workers", lambda: len(site.workers()) == 6)
            more = site.workers()
            check(sorted(more) == [0, 1, 2, 3, 4, 5], f"{sorted(more)}")
            check({i: more[i] for i in first} == first, f"those that were there were disturbed: {first} {more}")
            wait_for("answers of all six", lambda: set(more.values()) <= loads.pids(), 60)
            site.run("scale", "web", 2, timeout=120)
            wait_for("four have gone", lambda: not any(alive(more[i]) for i in range(2, 6)))
            check(site.workers() == {0: first[0], 1: first[1]}, f"left are {site.workers()}")
            loads.go_on()
        loads.check_none_failed()


@each_node
def test_stop_closes_the_port_and_start_opens_it(node):
    with Site(node) as site:
        site.start_web(4)
        for _ in range(3):
            site.run("stop", "web")
            check(site.refused(), "after stop the port is open")
            site.run("start", "web")
            site.everybody(4)
        site.run("delete", "web")
        check(site.refused(), "after delete the port is open")
        site.start_web(2)


@each_node
def test_restart_refuses_nobody(node):
    with Site(node) as site:
        site.start_web(4)
        with site.loads("close", "keep") as loads:
            for _ in range(RELOADS):
                before = site.workers()
                site.run("restart", "web")
                site.check_replaced(before)
                loads.go_on()
        kinds = {failure.kind for failure in loads.failures}
        check(kinds <= {"reset", "cut"}, loads.summary())  # What a worker was at when it was told to end.


@each_node
def test_restart_under_another_name_refuses_nobody(node):
    with Site(node) as site:
        site.start_web(4)
        with site.loads("close") as loads:
            site.run("restart", "web", "--name", "api")
            for app in site.list():
                check(app["name"] == "api" and app["pm2_env"]["restart_time"] == 1, f"{app}")
                loads.wait_for_worker(app["pid"])
        check({failure.kind for failure in loads.failures} <= {"reset", "cut"}, loads.summary())


@each_node
def test_start_or_reload_of_a_file_starts_and_then_reloads_and_fails_none(node):
    with Site(node) as site:
        file = site.work / "ecosystem.json"
        app = {"name": "web", "script": str(site.app_dir / "web.js"), "instances": 2, "exec_mode": "cluster"}
        file.write_text(json.dumps({"apps": [app]}))
        site.run("startOrReload", file)
        site.everybody(2)
        before = site.workers()
        with site.loads("close", "keep") as loads:
            site.run("startOrReload", file)
            site.check_replaced(before)
        loads.check_none_failed()


@each_node
def test_reload_takes_over_the_environment_only_when_asked(node):
    with Site(node) as site:
        site.start_web(2, *LISTEN)
        site.run("reload", "web", "--update-env", env={"VERSION": "2"}, timeout=120)
        check({answer["version"] for answer in site.everybody(2).values()} == {"2"}, "not with --update-env")
        site.run("reload", "web", env={"VERSION": "3"}, timeout=120)
        check({answer["version"] for answer in site.everybody(2).values()} == {"2"}, "also without --update-env")


@each_node
def test_reload_of_a_file_takes_over_the_environment_that_env_names_and_fails_none(node):
    with Site(node) as site:
        file = site.work / "ecosystem.config.js"
        app = {"name": "web", "script": str(site.app_dir / "web.js"), "instances": 4, "exec_mode": "cluster",
               "listen_timeout": 20000, "env": {"VERSION": "of env", "BOTH": "of env"},
               "env_staging": {"VERSION": "of staging"}}
        file.write_text(f"module.exports = {json.dumps({'apps': [app]})};\n")
        site.run("start", file)
        check({answer["version"] for answer in site.everybody(4).values()} == {"of env"}, "at the start")
        before = site.workers()
        with site.loads("close", "keep") as loads:
            site.run("reload", file, "--env", "staging", timeout=120)
            site.check_replaced(before)
            found = {(answer["version"], answer["env"]["BOTH"]) for answer in site.everybody(4, "/env").values()}
            check(found == {("of staging", "of env")}, f"after the reload: {found}")
        loads.check_none_failed()


# One that has grown too large.

@each_node
def test_a_worker_that_exceeds_max_memory_restart_alone_is_reloaded_and_fails_none(node):
    with Site(node) as site:
        site.start_web(3, "--max-memory-restart", "200M", *LISTEN, script="grows.js")
        with site.loads("close", "keep") as loads:
            for _ in range(size(1, 5)):
                before = site.workers()
                large = site.ask("/grow/220")["pid"]
                instance = next(i for i, pid in before.items() if pid == large)
                now = wait_for("another in its place", lambda: (now := site.workers()).get(instance, large) != large
                               and now)
                check({i for i in before if now.get(i) != before[i]} == {instance}, f"{before} have become {now}")
                wait_for("the large one is gone", lambda: not alive(large), 30)
                loads.wait_for_worker(now[instance])
            check(site.workers() == now, f"workers were {now}, are {site.workers()}")
        loads.check_none_failed()
        check(f"[web:{instance}]" in site.own_log() and "more than its max_memory_restart" in site.own_log(),
              "the reason is not told")
        check([app["pm2_env"]["status"] for app in site.instances().values()] == ["online"] * 3, "not all are online")


if __name__ == "__main__":
    run_tests()
