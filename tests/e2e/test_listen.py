"""Socket activation: workers are started with their listening sockets, which the keeper holds, so that neither a
restart nor a reload nor the daemon's end refuses anybody."""
import json
import os
import signal
import socket
import sys
from pathlib import Path

from cluster import (APPS, Asking, Site, check_equal_shares, check_one_that_is_stopped_gets_no_more,
                     each_node)
from go_cache import go_binary
from harness import Home, check, run_tests, size, wait_for
from stores import free_port

RELOADS = size(3, 10)


class Passed(Site):
    """A home with one app that is started with its sockets; by default Python's, in fork mode, on the site's port."""

    def __init__(self, env: dict | None = None):
        super().__init__(Path(sys.executable), env)

    def start_passed(self, script: Path | str = "passed.py", interpreter: Path | str = sys.executable, *,
                     instances: int = 2, wait: bool = True, ok: bool = True, **more) -> str:
        """What `start` prints."""
        app = {"name": "web", "script": str(self.app_dir / script), "interpreter": str(interpreter),
               "instances": instances, "exec_mode": "fork", "listen": self.port, "kill_timeout": 10000}
        file = self.work / "ecosystem.json"
        file.write_text(json.dumps({"apps": [app | more]}))
        done = self.run("start", file, ok=ok)
        if wait and ok:
            self.everybody(instances)
        return done.stdout + done.stderr

    def reload(self, **options):
        return self.run("reload", "web", timeout=120, **options)

    def check_same(self, before: dict[int, int]) -> None:
        check(self.workers() == before, f"workers were {before}, are {self.workers()}")


def reloads_fail_none(*app, kinds=("close",), **more) -> None:
    with Passed() as site:
        site.start_passed(*app, **more)
        with site.loads(*kinds) as short, site.loads("close", path="/300") as long:
            for _ in range(RELOADS):
                before = site.workers()
                site.reload()
                site.check_replaced(before)
                short.go_on()
        short.check_none_failed()
        long.check_none_failed()
        print(f"      {RELOADS} reloads: {short.summary()}; {long.summary()}", flush=True)


def test_reloads_of_a_python_server_fail_none():
    reloads_fail_none()


def test_reloads_of_one_process_alone_fail_none():
    reloads_fail_none(instances=1)


def test_reloads_of_a_go_server_fail_none():
    reloads_fail_none(go_binary(APPS / "passed.go"), "none")


@each_node
def test_reloads_of_a_node_server_in_fork_mode_fail_none(node):
    reloads_fail_none("passed.js", node, env={"GOODBYE": "1"})


@each_node
def test_reloads_of_a_node_server_that_says_when_it_is_ready_fail_none(node):
    reloads_fail_none("passed.js", node, env={"GOODBYE": "1"}, wait_ready=True, listen_timeout=20000)


@each_node
def test_reloads_of_a_node_cluster_fail_none(node):
    reloads_fail_none("passed.js", node, exec_mode="cluster", listen_timeout=20000, kinds=("close", "keep"))


def test_reloads_in_cluster_mode_fail_none():
    reloads_fail_none(exec_mode="cluster")


def test_each_has_its_sockets_their_names_and_its_own_pid():
    with Passed() as site:
        other = free_port()
        site.start_passed(listen=[{"name": "web", "address": site.port}, f"admin=127.0.0.1:{other}", "unix:app.sock"])
        for pid, said in site.everybody(2).items():
            check(said["env"] == {"LISTEN_FDS": "3", "LISTEN_FDNAMES": "web:admin:app.sock", "LISTEN_PID": str(pid)},
                  f"{said}")
            check(said["descriptors"] == [0, 1, 2, 3, 4, 5], f"{said}")
            check(said["listening"] == [True] * 3, f"{said}")
            # The path is one for both, and who was first has changed it.
            check(said["blocking"][:2] == [True, True], f"{said}")
            check(said["addresses"][0][:2] == ["::", site.port] and said["addresses"][1] == ["127.0.0.1", other], f"{said}")
        for where in ({"port": other}, {"unix": str(site.work / "app.sock")}, {"host": "::1"}):
            site.ask(**where)


def test_the_addresses_are_shown():
    with Passed() as site:
        site.start_passed(listen=f"{site.port}, web=unix:app.sock")
        entries = [str(site.port), f"web=unix:{site.work}/app.sock"]
        for app in site.instances().values():
            check(app["pm2_env"]["listen"] == entries, f"{app['pm2_env'].get('listen')}")
            check("LISTEN_FDS" in app["pmx"]["port_sharing"], str(app["pmx"]))
        described = site.run("describe", "web").stdout
        check(all(entry in described for entry in entries), described)
        check("slots" in site.run("balance", "web").stdout, "balance does not say how")


def test_the_command_line_has_it_too():
    with Passed() as site:
        other = free_port()
        site.start("web", str(site.app_dir / "passed.py"), "--listen", f"web={site.port},127.0.0.1:{other}",
                   "--interpreter", sys.executable)
        said = site.everybody(1)
        check(next(iter(said.values()))["env"]["LISTEN_FDNAMES"] == f"web:{other}", f"{said}")


def test_the_channel_of_a_node_lies_behind_its_sockets():
    with Passed() as site:
        other = free_port()
        site.start_passed("passed.js", "node", wait_ready=True, listen=[site.port, other])
        for pid, said in site.everybody(2, "/env").items():
            check(said["connected"] and not said["isWorker"], f"{said}")
            check(said["env"]["LISTEN_PID"] == str(pid) and said["env"]["LISTEN_FDS"] == "2", f"{said}")


def test_what_was_passed_to_pmx_is_not_passed_on():
    leak = {"LISTEN_FDS": "1", "LISTEN_PID": "1", "LISTEN_FDNAMES": "pmx.socket", "LISTEN_PIDFDID": "7"}
    with Passed(leak) as site:
        site.start("plain", str(site.app_dir / "passed.py"), "--interpreter", sys.executable)
        # Which would take what it has for its sockets.
        wait_for("what it says", lambda: '"env": {}' in "".join(p.read_text() for p in site.logs.glob("plain-out*.log")))
        site.start_passed()
        for said in site.everybody(2).values():
            check("LISTEN_PIDFDID" not in said["env"] and said["env"]["LISTEN_FDNAMES"] == str(site.port), f"{said}")


def test_every_balance_has_both_of_them():
    for balance in ("slots", "shared", "sticky"):
        with Passed() as site:
            site.start_passed(balance=balance, wait=False)
            wait_for("both", lambda: len(site.workers()) == 2)
            before = site.workers()
            with site.loads("close") as loads:
                site.reload()
                site.check_replaced(before)
            loads.check_none_failed()


@each_node
def test_eight_workers_have_equal_shares(node):
    for app, more in ((("passed.py", sys.executable), {}),
                      (("passed.js", node), {"exec_mode": "cluster", "listen_timeout": 20000})):
        with Passed() as site:
            site.start_passed(*app, instances=8, **more)
            check_equal_shares(site, app[0])


def test_a_stopped_process_gets_no_more_connections():
    with Passed() as site:
        site.start_passed(instances=4)
        check_one_that_is_stopped_gets_no_more(site)


@each_node
def test_a_stopped_worker_of_a_node_cluster_gets_no_more_connections(node):
    with Passed() as site:
        site.start_passed("passed.js", node, instances=4, exec_mode="cluster", listen_timeout=20000)
        check_one_that_is_stopped_gets_no_more(site)


def test_a_unix_socket_has_both_of_them_and_reloads():
    with Passed() as site:
        path = site.work / "run.sock"
        site.start_passed(listen="unix:run.sock", wait=False)
        site.everybody(2, unix=str(path))
        before = site.workers()
        with Asking(lambda: lambda: site.ask("/20", unix=str(path))["pid"]) as asking:
            site.reload()
            site.check_replaced(before)
            site.kill_daemon()
            site.everybody(2, unix=str(path))
        asking.check_none_failed(set(site.workers().values()))
        site.run("stop", "web")
        check(not path.exists(), "after stop the socket is there")


def test_a_unix_socket_that_a_killed_home_has_left_is_replaced():
    with Passed() as site:
        with socket.socket(socket.AF_UNIX) as left:
            left.bind(str(site.work / "run.sock"))
        site.start_passed(listen="unix:run.sock", wait=False)
        site.everybody(2, unix=str(site.work / "run.sock"))


def test_kill_9_of_the_daemon_fails_none():
    with Passed() as site:
        site.start_passed()
        before = site.workers()
        with site.loads("close") as loads:
            for _ in range(size(5, 50)):
                site.kill_daemon()
                loads.go_on()
            site.check_same(before)
            site.reload()
            site.check_replaced(before)
        loads.check_none_failed()


def test_updates_and_the_end_of_the_keeper_fail_none():
    with Passed() as site:
        site.start_passed()
        before = site.workers()
        with site.loads("close") as loads:
            site.run("update")
            loads.go_on()
            keeper = site.ping()["keeper_pid"]
            os.kill(keeper, signal.SIGKILL)
            wait_for("another keeper", lambda: site.ping()["keeper_pid"] != keeper)
            site.check_same(before)
            site.reload()
            site.check_replaced(before)
        loads.check_none_failed()


def test_a_restart_refuses_nobody():
    for instances in (1, 2):
        with Passed() as site:
            site.start_passed(instances=instances)
            before = site.workers()
            with site.loads("close") as loads:
                site.run("restart", "web")
                site.check_replaced(before)
            loads.check_none_failed()


def test_a_restart_under_another_name_refuses_nobody():
    with Passed() as site:
        site.start_passed()
        before = {app["pid"] for app in site.list()}
        with site.loads("close") as loads:
            one = site.run("restart", "0", "--name", "api", ok=False)
            check(one.returncode == 1 and "pmx restart web --name api" in one.stderr, one.stdout + one.stderr)
            check({app["pid"] for app in site.list()} == before, "one of them was restarted for it")
            site.run("restart", "web", "--name", "api")
            apps = site.list()
            check([app["name"] for app in apps] == ["api"] * 2, f"{apps}")
            for app in apps:
                check(app["pid"] not in before, "it was not restarted")
                loads.wait_for_worker(app["pid"])
        loads.check_none_failed()
        check(all(app["pm2_env"]["restart_time"] == 1 for app in site.list()), "it was restarted more than once")


def test_a_daemon_that_dies_at_a_start_finds_the_sockets():
    for point in ("before_put", "after_put", "before_spawn", "after_spawn"):
        with Passed({"PMX_CRASH_POINTS": f"{point}:1"}) as site:
            file = site.work / "ecosystem.json"
            file.write_text(json.dumps({"apps": [{"name": "web", "script": str(site.app_dir / "passed.py"),
                                                  "interpreter": sys.executable, "listen": site.port}]}))
            site.run_through("start", file, done=lambda: len(site.list()) == 1)
            site.everybody(1)
            check(site.ping()["incarnation"] == 1, f"{point}: {site.ping()}")
            before = site.workers()
            site.reload()
            site.check_replaced(before)
            site.everybody(1)


def test_a_release_that_dies_does_no_harm():
    with Passed() as site:
        site.start_passed()
        before = site.workers()
        with site.loads("close") as loads:
            done = site.run("reload", "web", "--update-env", ok=None, env={"DIES": "1"}, timeout=120)
            check(done.returncode == 1, f"{done.returncode}")
            check("no database password in this release" in done.stdout + done.stderr, done.stdout + done.stderr)
            site.check_same(before)
        loads.check_none_failed()


def test_a_new_worker_is_asked_by_its_own_slot():
    with Passed() as site:
        site.start_passed(health="/health")
        before = site.workers()
        with site.loads("close") as loads:
            done = site.run("reload", "web", "--update-env", "--health-within", "1500ms", ok=None, env={"UNWELL": "1"},
                            timeout=120)
            check(done.returncode == 1 and "answers GET /health with 503, not 200" in done.stdout + done.stderr,
                  done.stdout + done.stderr)
            site.check_same(before)
            site.reload()
            site.check_replaced(before)
        loads.check_none_failed()
        asked = {int(line.split()[0]) for path in site.logs.glob("web-out*.log")
                 for line in path.read_text().splitlines() if line.endswith("was asked")}
        check(not asked & set(before.values()), "an old one was asked")


def test_stop_closes_the_port_and_start_opens_it():
    with Passed() as site:
        site.start_passed()
        for _ in range(2):
            site.run("stop", "web")
            check(site.refused(), "after stop the port is open")
            site.run("start", "web")
            site.everybody(2)
        site.run("scale", "web", 1, timeout=60)
        wait_for("one is left", lambda: len(site.workers()) == 1)
        site.everybody(1)
        site.run("delete", "web")
        check(site.refused(), "after delete the port is open")


def test_a_port_that_somebody_has_is_one_line_and_hurts_nobody():
    with Passed() as site, socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        said = site.start_passed(listen=taken, ok=False)
        check(f":{taken}: Address already in use" in said, said)
        site.run("delete", "web")
        site.start_passed()
        before = site.workers()
        for command in ("restart", "reload"):
            done = site.run(command, "web", "--listen", f"{site.port},{taken}", ok=None, timeout=120)
            check(done.returncode == 1 and f":{taken}: Address already in use" in done.stdout + done.stderr,
                  f"{command}: {done.stdout}{done.stderr}")
            site.check_same(before)
            site.everybody(2)


def test_an_address_more_or_less_needs_a_reload_only():
    with Passed() as site:
        site.start_passed()
        other = free_port()
        for listen, ports in ((f"{site.port},{other}", [site.port, other]), (str(site.port), [site.port])):
            before = site.workers()
            with site.loads("close") as loads:
                site.run("reload", "web", "--listen", listen, timeout=120)
                site.check_replaced(before)
                for port in ports:
                    site.everybody(2, port=port)
            loads.check_none_failed()


def test_an_app_that_bound_the_port_itself_may_come_to_listen_and_go_back():
    with Passed() as site:
        for script, listen in (("server.py", False), ("passed.py", f"127.0.0.1:{site.port}"), ("server.py", False)):
            file = site.work / "ecosystem.json"
            file.write_text(json.dumps({"apps": [{"name": "web", "script": str(site.app_dir / script), "listen": listen,
                                                  "interpreter": sys.executable, "kill_timeout": 10000}]}))
            site.run("startOrRestart", file)
            said = next(iter(site.everybody(1).values()))
            check(("env" in said) == bool(listen), f"{script}: {said}")


def test_bad_values_are_one_line_each():
    with Home() as home:
        for value, words in (("host:80", "is no address to listen on"), ("0", "no port from 1 to 65535"),
                             ("80,80", "is there twice"), ("a b=80", "is no address"),
                             ("unix:" + "x" * 120, "at most 107 bytes"),
                             (",".join(str(8000 + i) for i in range(17)), "17 addresses: an app may have 16")):
            done = home.run("start", "/bin/cat", "--listen", value, ok=False)
            lines = [line for line in (done.stdout + done.stderr).splitlines() if "listen" in line]
            check(len(lines) == 1 and words in lines[0], f"{value}: {done.stdout}{done.stderr}")
        check(home.list() == [], "one was started")


if __name__ == "__main__":
    run_tests()
