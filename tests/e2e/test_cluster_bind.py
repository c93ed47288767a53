"""Cluster mode of programs that know nothing of it: their binds are answered with the cluster's sockets."""
import concurrent.futures
import contextlib
import ctypes
import http.client
import json
import os
import signal
import socket
import struct
import sys
from pathlib import Path

from npm_cache import BUN, from_npm
from cluster import (APPS, Site, backlogs, check_equal_shares, check_one_that_is_stopped_gets_no_more,
                     measured)
from go_cache import go_binary
from harness import alive, check, run_tests, size, wait_for
from stores import free_port

RELOADS = size(3, 10)
BIND = {"x86_64": 49, "aarch64": 200}[os.uname().machine]


class Plain(Site):
    """A home with one app in cluster mode, of a runtime that is not Node."""

    def __init__(self, env: dict | None = None):
        super().__init__(Path(sys.executable), env)

    def file_of(self, script: Path | str = "server.py", interpreter: Path | str = sys.executable, **more) -> Path:
        app = {"name": "web", "script": str(self.app_dir / script), "interpreter": str(interpreter),
               "exec_mode": "cluster", "instances": 2, "listen_timeout": 20000, "kill_timeout": 10000}
        file = self.work / "ecosystem.json"
        file.write_text(json.dumps({"apps": [app | more]}))
        return file

    def start_plain(self, *app, instances: int = 2, wait: bool = True, before=None, **more) -> str:
        """What `start` prints; `before` is called in its process."""
        file = self.file_of(*app, instances=instances, **more)
        done = self.run("start", file, preexec_fn=before)
        if wait:
            self.everybody(instances)
        return done.stdout + done.stderr

    def reload(self, **options):
        return self.run("reload", "web", timeout=120, **options)


def reloads_fail_none(script, interpreter) -> None:
    with Plain() as site:
        site.start_plain(script, interpreter)
        with site.loads("close") as short, site.loads("close", path="/300") as long:
            for _ in range(RELOADS):
                before = site.workers()
                site.reload()
                site.check_replaced(before)
                short.go_on()
        short.check_none_failed()
        long.check_none_failed()
        print(f"      {RELOADS} reloads: {short.summary()}; {long.summary()}", flush=True)


def test_reloads_of_a_python_server_fail_none():
    reloads_fail_none("server.py", sys.executable)


def test_reloads_of_a_go_server_fail_none():
    reloads_fail_none(go_binary(APPS / "server.go"), "none")


def test_reloads_of_a_bun_server_fail_none():
    reloads_fail_none("server.bun.js", from_npm(BUN))


def reloads_with_connections_kept_alive(script, interpreter):
    """Their load: requests of a second, so that one that was cut off in the work is told from one that met the end of
    an idle connection."""
    with Plain() as site:
        site.start_plain(script, interpreter)
        with site.loads("keep") as short, site.loads("keep", connections=30, path="/1000") as long:
            for _ in range(size(1, 10)):
                before = site.workers()
                site.reload()
                site.check_replaced(before)
                short.go_on()
        measured(f"reloads, kept alive: {short.summary()}; {long.summary()}")
        return short, long


def test_reloads_of_a_python_server_fail_none_of_those_that_keep_connections():
    # It closes after an answer that says so: nobody can have asked anything else.
    for loads in reloads_with_connections_kept_alive("server.py", sys.executable):
        loads.check_none_failed()


def cuts_off_nobody(script, interpreter) -> None:
    short, long = reloads_with_connections_kept_alive(script, interpreter)
    kinds = {failure.kind for failure in short.failures + long.failures}
    check(kinds <= {"reset"}, f"{short.summary()} {long.summary()}")
    cut = [failure for failure in long.failures if failure.at - failure.begun > 0.4]
    check(not cut, f"cut off: {cut}")


def test_reloads_of_a_go_server_cut_off_nobody_who_keeps_a_connection():
    cuts_off_nobody(go_binary(APPS / "server.go"), "none")


def test_reloads_of_a_bun_server_fail_none_of_those_that_keep_connections():
    # They have been told to move: drain_hook.
    for loads in reloads_with_connections_kept_alive("server.bun.js", from_npm(BUN)):
        loads.check_none_failed()


def test_bun_tells_its_clients_to_move_whatever_answers():
    with Plain() as site:
        ports = {"HTTP_PORT": free_port(), "EXPORT_PORT": free_port()}
        site.start_plain("ways.bun.js", from_npm(BUN), instances=1, wait=False, env=ports)
        ways = {site.port: ["/", "/route", "/route/x", "/method", "/redirect", "/throws", "/fetched"],
                ports["HTTP_PORT"]: ["/"], ports["EXPORT_PORT"]: ["/"]}
        for port in ways:
            wait_for(f"port {port} is open", lambda port=port: connects(port))

        def who_says_close() -> list[str]:
            return [f"{port}{path}" for port, paths in ways.items() for path in paths if says_close(port, path)]

        check(not who_says_close(), "clients are told to move by a worker that stays")
        pid = site.workers()[0]
        os.kill(pid, signal.SIGUSR2)
        wait_for("it is reloaded", lambda: status_of(site.port, "/reloaded") == 200)
        check(status_of(site.port, "/route") == 404, "Bun's own reload has not replaced the routes")
        os.kill(pid, signal.SIGURG)  # As pmx does a second before it ends.
        wait_for("it says so", lambda: says_close(site.port, "/reloaded"))
        check(says_close(site.port, "/route"), "what is replaced does not say it")
        site.reload()
        pid = site.workers()[0]
        wait_for("the next one answers", lambda: status_of(site.port, "/route") == 200)
        os.kill(pid, signal.SIGURG)
        everywhere = [f"{port}{path}" for port, paths in ways.items() for path in paths]
        wait_for("all say so", lambda: who_says_close() == everywhere)


def connects(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


def answer_of(port: int, path: str) -> http.client.HTTPResponse:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer


def status_of(port: int, path: str) -> int:
    return answer_of(port, path).status


def says_close(port: int, path: str) -> bool:
    return answer_of(port, path).getheader("Connection", "").lower() == "close"


def test_eight_processes_of_each_have_equal_shares():
    for script, interpreter in (("server.py", sys.executable), (go_binary(APPS / "server.go"), "none"),
                                ("server.bun.js", from_npm(BUN))):
        with Plain() as site:
            site.start_plain(script, interpreter, instances=8)
            check_equal_shares(site, Path(script).name)


def test_a_stopped_server_of_those_gets_no_more_connections():
    for script, interpreter in (("server.py", sys.executable), (go_binary(APPS / "server.go"), "none")):
        with Plain() as site:
            site.start_plain(script, interpreter, instances=4)
            check_one_that_is_stopped_gets_no_more(site)


def test_it_is_said_how_they_share_their_port():
    with Plain() as site:
        said = site.start_plain()
        check("share no port" not in said, said)
        for app in site.instances().values():
            check(app["pmx"]["port_sharing"] == "bind(2) answered by pmx (no_new_privs)", str(app["pmx"]))
        check("bind(2) answered by pmx" in site.run("describe", "web").stdout, "describe does not say it")


def test_every_balance_has_both_of_them():
    # With one queue for all it accepts until it is told to end: Go cuts off what it accepts in that instant.
    for balance, most_failed in (("slots", 0), ("shared", 2)):
        with Plain() as site:
            site.start_plain(go_binary(APPS / "server.go"), "none", balance=balance)
            before = site.workers()
            with site.loads("close") as loads:
                site.reload()
                now = site.check_replaced(before)
                for pid in now.values():
                    loads.wait_for_worker(pid)
            result = loads.results[0]
            check(result.failed <= most_failed, result.summary())
            everybody = {*before.values(), *now.values()}
            check(set(result.workers) == everybody, f"{balance}: {result.workers} have answered of {everybody}")


def test_a_listener_has_the_backlog_that_was_asked_for():
    with Plain() as site:
        site.start_plain()
        for _ in range(2):
            check(set(backlogs(site.port)) == {128}, f"128 is asked for, listeners have {backlogs(site.port)}")
            site.reload()


def test_what_is_no_tcp_port_is_bound_by_the_kernel():
    with Plain() as site:
        site.start_plain(instances=1)
        port = free_port()
        said = site.ask(f"/others/{port}")
        check(said["udp"] == port and said["free"] > 0 and not said["listens"], str(said))


def test_stop_closes_the_port_and_start_opens_it():
    with Plain() as site:
        site.start_plain()
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


def test_a_port_that_somebody_has_is_the_programs_own_error():
    with Plain() as site, Plain({"PORT": str(site.port)}) as other:
        site.start_plain()
        other.start_plain(wait=False, autorestart=False)
        wait_for("both have ended", lambda: not other.workers())

        def said() -> str:
            return "".join(path.read_text() for path in other.logs.glob("web-error*.log"))
        wait_for("both have said why", lambda: said().count("Address already in use") >= 2)


def broken_release_does_no_harm(variable: str, words: str) -> None:
    with Plain() as site:
        site.start_plain(listen_timeout=3000)
        before = site.workers()
        with site.loads("close") as loads:
            done = site.run("reload", "web", "--update-env", ok=False, env={variable: "1"}, timeout=120)
            check(words in done.stdout + done.stderr, done.stdout + done.stderr)
            check(site.workers() == before, f"workers were {before}, are {site.workers()}")
        loads.check_none_failed()


def test_a_release_that_dies_does_no_harm():
    broken_release_does_no_harm("DIES", "no database password in this release")


def test_a_release_that_never_binds_does_no_harm():
    broken_release_does_no_harm("MUTE", "does not listen on what the old one does within listen_timeout (3000 ms)")


def test_the_new_worker_is_asked_for_its_health_and_a_wrong_answer_does_no_harm():
    with Plain() as site:
        site.start_plain(health={"path": "/health", "within": "5s"}, min_uptime=100)
        before = site.workers()
        with site.loads("close") as loads:
            done = site.run("reload", "web", "--update-env", ok=False, env={"HEALTH_STATUS": "503"}, timeout=120)
            said = done.stdout + done.stderr
            check("the new process answers GET /health with 503, not 200" in said, said)
            check(site.workers() == before, f"workers were {before}, are {site.workers()}")
            loads.go_on()
            site.reload()
            now = site.check_replaced(before)
        loads.check_none_failed()
        lines = "".join(path.read_text() for path in site.logs.glob("web-out*.log")).splitlines()
        asked = {int(line.split()[0]) for line in lines if line.endswith("was asked")}
        check(asked >= set(now.values()) and not asked & set(before.values()),
              f"asked were {asked}, old ones are {before}, new ones {now}")


def test_kill_9_of_a_worker_fails_only_what_it_was_at():
    with Plain() as site:
        site.start_plain()
        before = site.workers()
        with site.loads("close") as loads:
            os.kill(before[0], signal.SIGKILL)
            wait_for("another one", lambda: site.workers().get(0, before[0]) != before[0])
            loads.wait_for_worker(site.workers()[0])
        kinds = {failure.kind for failure in loads.failures}
        check(kinds <= {"reset", "cut"}, loads.summary())
        check(site.workers()[1] == before[1], "the other one was disturbed")


def test_kill_9_of_the_daemon_fails_none():
    with Plain() as site:
        site.start_plain()
        before = site.workers()
        with site.loads("close") as loads:
            for _ in range(size(5, 50)):
                site.kill_daemon()
                loads.go_on()
            check(site.workers() == before, f"workers were {before}, are {site.workers()}")
            site.reload()
            site.check_replaced(before)
        loads.check_none_failed()


def test_updates_and_the_end_of_the_keeper_fail_none():
    with Plain() as site:
        site.start_plain()
        before = site.workers()
        with site.loads("close") as loads:
            site.run("update")
            loads.go_on()
            keeper = site.ping()["keeper_pid"]
            os.kill(keeper, signal.SIGKILL)
            wait_for("another keeper", lambda: site.ping()["keeper_pid"] != keeper)
            check(site.workers() == before, f"workers were {before}, are {site.workers()}")
            site.reload()
            before = site.check_replaced(before)
        loads.check_none_failed()
        # The new keeper's workers, and then those of the keeper that this one replaces.
        for _ in range(2):
            port = free_port()
            check(site.ask(f"/also/{port}")["pid"] == site.ask(port=port)["pid"], "the second port is not served")
            keeper = site.ping()["keeper_pid"]
            os.kill(keeper, signal.SIGKILL)
            wait_for("another keeper", lambda: site.ping()["keeper_pid"] != keeper)
        check(site.workers() == before, f"workers were {before}, are {site.workers()}")


def in_bind(pid: int) -> bool:
    """One of its threads is in bind(2)."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(OSError):
            if (task / "syscall").read_text().split()[0] == str(BIND):
                return True
    return False


def test_a_bind_while_no_daemon_answers_waits_for_the_next():
    with Plain() as site:
        site.start_plain(instances=1)
        pid, port, daemon = site.workers()[0], free_port(), site.ping()["daemon_pid"]
        os.kill(daemon, signal.SIGSTOP)
        with concurrent.futures.ThreadPoolExecutor() as threads:
            answer = threads.submit(site.ask, f"/also/{port}", timeout=30)
            wait_for("its bind", lambda: in_bind(pid))
            check(site.ask()["pid"] == pid, "while it waits it serves nobody")
            os.kill(daemon, signal.SIGKILL)
            check(answer.result()["pid"] == pid, "another one")
        check(site.ask(port=port)["pid"] == pid, "it does not serve the other port")
        check(site.workers() == {0: pid}, "it was restarted")


def test_a_bind_that_a_dying_daemon_had_in_its_hand_is_begun_anew():
    with Plain({"PMX_CRASH_POINTS": "bind_taken:1,bind_taken:1"}) as site:
        site.run_through("start", site.file_of(), done=lambda: len(site.list()) == 2)
        site.everybody(2)
        check(site.ping()["incarnation"] == 2, f"{site.ping()}")
        check(all(app["pm2_env"]["restart_time"] == 0 for app in site.list()), "one was restarted")
        for pid in site.workers().values():
            check(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "T", "it stands still")


def without_seccomp() -> None:
    """As a container may have it: this process and its children may not install filters of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    seccomp = {"x86_64": 317, "aarch64": 277}[os.uname().machine]
    # if (nr == seccomp) return ERRNO(EPERM); return ALLOW
    rows = [(0x20, 0, 0, 0), (0x15, 0, 1, seccomp), (0x06, 0, 0, 0x50001), (0x06, 0, 0, 0x7FFF0000)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *row) for row in rows))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(rows), ctypes.addressof(code)))
    libc.prctl(38, 1, 0, 0, 0)               # PR_SET_NO_NEW_PRIVS
    if libc.prctl(22, 2, program, 0, 0) < 0:  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER
        raise OSError(ctypes.get_errno(), "seccomp")


def test_where_binds_cannot_be_answered_they_are_separate_processes_and_that_is_said():
    with Plain() as site:
        said = site.start_plain(wait=False, before=without_seccomp)  # Which starts keeper and daemon.
        check("web: its 2 instances share no port" in said and "Operation not permitted" in said, said)
        check("separate processes" in site.run("describe", "web").stdout, "describe does not say it")
        site.everybody(1)  # The other one finds the port taken.
        said = site.run("reload", "web", ok=None).stderr
        check(alive(site.ping()["daemon_pid"]), said)


if __name__ == "__main__":
    run_tests()
