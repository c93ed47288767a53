"""`balance: rr`: pmx accepts connections and hands each of them to a worker. What test_cluster*.py promises of all
cluster workers holds here too, and what is different: pmx is in the way of each new connection."""
import contextlib
import json
import os
import random
import signal
import socket
import time

import test_cluster
import test_cluster_reload
import test_cluster_trouble
from cluster import Site, each_node, measured
from cluster_load import Load
from harness import check, run_tests, size, wait_for
from test_balance import rows
from test_cluster_trouble import check_undisturbed

WINDOW = 4  # Connections that a worker may have without having answered for them.


class InTurn(Site):
    def start_web(self, workers: int = 4, *options, **more) -> None:
        super().start_web(workers, "--balance", "rr", *options, **more)


for module in (test_cluster, test_cluster_reload, test_cluster_trouble):
    module.Site = InTurn

from test_cluster import (  # noqa: E402
    test_a_killed_worker_comes_back_and_takes_part, test_a_port_that_is_closed_can_be_opened_again_at_once,
    test_a_tls_session_is_resumed_by_every_worker_and_after_a_reload,
    test_a_worker_that_leaves_the_cluster_ends_with_0_and_is_started_again,
    test_exclusive_is_the_port_of_one_worker, test_messages_and_handles_to_the_parent_do_not_stall_a_worker,
    test_port_0_is_one_port_for_all_workers_and_another_for_each_listen,
    test_the_error_of_a_listen_is_the_programs_to_handle, test_udp_ports_are_shared,
    test_unix_sockets_are_shared_with_the_modes_that_were_asked_for,
    test_upgraded_connections_last_until_kill_timeout_and_are_counted,
    test_wherever_a_program_listens_all_workers_serve)
from test_cluster_reload import (  # noqa: E402
    test_a_release_that_listens_and_dies_does_no_harm, test_a_release_that_never_listens_does_no_harm,
    test_ready_and_shutdown_are_waited_for_and_fail_none,
    test_reloads_with_a_connection_for_each_request_fail_none,
    test_reloads_with_connections_kept_alive_fail_none,
    test_reloads_with_connections_that_pause_fail_none, test_reloads_with_requests_of_300_ms_fail_none,
    test_restart_refuses_nobody, test_scaling_keeps_instance_0_and_fails_none,
    test_stop_closes_the_port_and_start_opens_it)
from test_cluster_trouble import (  # noqa: E402
    test_eight_workers_have_equal_shares_of_800_connections_kept_alive,
    test_eight_workers_have_equal_shares_of_connections, test_kill_9_of_a_worker_fails_only_what_it_was_at,
    test_updates_fail_none)


@each_node
def test_kill_9_of_the_daemon_refuses_nobody_and_loses_only_what_was_in_its_hand(node):
    random_ = random.Random(1)
    with InTurn(node) as site:
        site.start_web(4)
        workers = site.workers()
        kills = size(10, 100)
        with site.loads("close", "keep") as loads:
            for _ in range(kills):
                site.kill_daemon()
                time.sleep(random_.choice([random_.uniform(0, 0.01), random_.uniform(0, 0.5)]))
            loads.go_on()
            check_undisturbed(site, workers)
        measured(f"{kills} kills: {loads.summary()}")
        # Between accept(2) and sendmsg(2) there is one connection at the most.
        check({failure.kind for failure in loads.failures} <= {"reset"}, loads.summary())
        check(len(loads.failures) <= kills, loads.summary())
        with site.loads("close", "keep") as loads:
            site.run("reload", "web", timeout=120)
            site.check_replaced(workers)
        loads.check_none_failed()
        site.run("stop", "web")
        check(site.refused(), "after stop the port is open: somebody still holds it")


@each_node
def test_connections_wait_where_there_is_no_daemon_and_none_is_refused(node):
    with InTurn(node) as site:
        site.start_web(2)
        daemon = site.ping()["daemon_pid"]
        with Load(site.port, "close", 8) as load:
            load.wait_for_answers(50)
            os.kill(daemon, signal.SIGSTOP)
            stopped = time.monotonic()
            wait_for("all wait", lambda: len([begun for begun in load.now().waiting if begun > stopped - 1]) == 8)
            os.kill(daemon, signal.SIGKILL)
            load.wait_for_answers(50)
            result = load.result()
        # Those that were waiting in the kernel's queue are answered by the next one's workers.
        check({failure.kind for failure in result.failures} <= {"reset"} and result.failed <= 1, result.summary())


@each_node
def test_a_stopped_worker_gets_its_window_and_the_others_go_on(node):
    with InTurn(node) as site:
        site.start_web(4)
        with Load(site.port, "close", 32) as load:
            load.wait_for_answers(200)
            victim = site.workers()[2]
            stopped = time.monotonic()
            os.kill(victim, signal.SIGSTOP)
            try:
                load.wait_for_answers(2000, 60)
            finally:
                os.kill(victim, signal.SIGCONT)
            continued = time.monotonic()
            wait_for("it serves again", lambda: load.now().workers[victim]["last"] > continued)
            result = load.result()
        check(site.workers()[2] == victim, "it was restarted")
        check({failure.kind for failure in result.failures} <= {"hung"}, result.summary())
        # What it had taken before waits for it, and of what came later its window.
        begun = [one[0] for one in result.slow if one[2] == victim] + [one.begun for one in result.failures]
        later = [one - stopped for one in begun if stopped + 0.05 < one < continued - 1]
        measured(f"{result.summary()}; {len(later)} of those that came later were given to it")
        check(len(later) <= WINDOW, f"begun {later} s after the stop")


@each_node
def test_what_a_full_worker_refuses_another_takes_and_nobody_turns_in_a_circle(node):
    with InTurn(node) as site:
        begun = time.monotonic()
        site.start_web(2, script="full.js")
        with site.loads("close", connections=8, path="/100") as loads:
            loads.go_on(60)
        loads.check_none_failed()
        refused = {pid: said["refused"] for pid, said in site.everybody(2, "/refused").items()}
        # One for each rest of 10 ms, and its window after each that it has taken.
        most = (time.monotonic() - begun) / 0.01 + WINDOW * (loads.results[0].answered + 1)
        measured(f"{loads.summary()}; refused {refused}")
        check(any(refused.values()), f"nobody has refused any: {refused}")
        check(max(refused.values()) <= most, f"refused {refused}, of {most:.0f} at the most")


@each_node
def test_a_change_of_balance_by_reload_fails_none(node):
    with Site(node) as site:
        file = site.work / "ecosystem.json"

        def start(balance: str) -> None:
            app = {"name": "web", "script": str(site.app_dir / "web.js"), "instances": 2, "exec_mode": "cluster",
                   "balance": balance, "listen_timeout": 20000}
            file.write_text(json.dumps({"apps": [app]}))
            site.run("startOrReload", file, timeout=120)

        start("slots")
        site.everybody(2)
        with site.loads("close") as loads:
            for balance in ("rr", "slots", "shared", "rr", "sticky"):
                before = site.workers()
                start(balance)
                now = site.check_replaced(before)
                since = time.monotonic()
                if balance != "sticky":  # All clients have one address here.
                    for pid in now.values():
                        loads.wait_for_worker(pid, since)
        loads.check_none_failed()


@each_node
def test_balance_says_how_many_each_worker_has_with_the_hook_and_without(node):
    for options in ((), ("--no-drain-hook",)):
        with InTurn(node) as site, contextlib.ExitStack() as stack:
            site.start_web(2, *options)
            before = sum(int(row["connections/min"]) for row in rows(site))
            for _ in range(20):
                site.ask()
            for _ in range(10):
                stack.enter_context(socket.create_connection(("127.0.0.1", site.port), 5))
            wait_for("10 open connections", lambda: sum(int(row["open"]) for row in rows(site)) == 10)
            table = rows(site)
            check([row["balance"] for row in table] == ["rr", "rr"], f"{table}")
            check(sum(int(row["connections/min"]) for row in table) == before + 30, f"{before} and 30 more: {table}")
            check(all((row["requests/min"] == "-") == bool(options) for row in table), f"{table}")


if __name__ == "__main__":
    run_tests()
