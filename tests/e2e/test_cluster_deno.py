"""Cluster mode of Deno, unmodified: node:http speaks the cluster's protocol and is handed its connections, Deno.serve
binds, which is answered with the cluster's sockets. One program may do both."""
import random
import time

from cluster import measured
from harness import check, run_tests, size
from npm_cache import DENO, from_npm
from stores import free_port
from test_cluster_bind import Plain

RELOADS = size(5, 10)


class Deno(Plain):
    def __init__(self, http: bool = False, serve: bool = False):
        super().__init__()
        self.http_port = self.port if http and not serve else free_port() if http else 0
        self.env["HTTP_PORT"] = str(self.http_port)

    def start_deno(self, instances: int = 2, **more) -> None:
        self.start_plain("server.deno.mjs", from_npm(DENO), instances=instances, interpreter_args="run -A", **more)


def reloads_fail_none(site: Deno, *kinds: str) -> None:
    with site.loads(*kinds) as short, site.loads("close", path="/300") as long:
        for _ in range(RELOADS):
            before = site.workers()
            site.reload()
            site.check_replaced(before)
            short.go_on()
    short.check_none_failed()
    long.check_none_failed()
    measured(f"{RELOADS} reloads: {short.summary()}; {long.summary()}")


def test_reloads_of_node_http_fail_none():
    with Deno(http=True) as site:
        site.start_deno()
        reloads_fail_none(site, "close")


def test_reloads_of_deno_serve_fail_none():
    with Deno(serve=True) as site:
        site.start_deno()
        reloads_fail_none(site, "close")


def test_one_that_does_both_is_served_and_reloaded_on_both():
    with Deno(http=True, serve=True) as site:
        site.start_deno()
        site.everybody(2, port=site.http_port)
        reloads_fail_none(site, "close")
        site.everybody(2, port=site.http_port)
        site.run("stop", "web")
        check(site.refused(), "after stop the port is open")


def test_clients_of_node_http_that_keep_connections_are_not_cut_off_while_they_wait():
    with Deno(http=True) as site:
        site.start_deno()
        with site.loads("keep", path="/1000") as loads:
            for _ in range(RELOADS):
                before = site.workers()
                site.reload()
                site.check_replaced(before)
                loads.go_on()
        measured(f"{RELOADS} reloads, kept alive: {loads.summary()}")
        # Nobody tells Deno's clients to move: a request that meets a connection which is just being closed is
        # reset at once, and no other. What is being worked on, for a second, is finished.
        cut = [failure for failure in loads.failures if failure.at - failure.begun > 0.4]
        check(not cut, f"cut off: {cut}")
        check({failure.kind for failure in loads.failures} <= {"reset"}, loads.summary())


def test_kill_9_of_the_daemon_refuses_nobody():
    random_ = random.Random(1)
    for ways, lost in (({"http": True}, {"reset"}), ({"serve": True}, set())):
        with Deno(**ways) as site:
            site.start_deno()
            before = site.workers()
            kills = size(5, 50)
            with site.loads("close") as loads:
                for _ in range(kills):
                    site.kill_daemon()
                    time.sleep(random_.uniform(0, 0.3))
                loads.go_on()
            check(site.workers() == before, f"workers were {before}, are {site.workers()}")
            measured(f"{kills} kills of {ways}: {loads.summary()}")
            check({failure.kind for failure in loads.failures} <= lost, loads.summary())
            check(len(loads.failures) <= kills, loads.summary())
            site.reload()
            site.check_replaced(before)


def test_every_balance_has_both_of_them():
    for balance in ("shared", "sticky", "rr"):
        with Deno(http=True) as site:
            site.start_deno(balance=balance)
            before = site.workers()
            with site.loads("close") as loads:
                site.reload()
                site.check_replaced(before)
            loads.check_none_failed()


def test_it_is_said_how_they_share_their_port():
    with Deno(serve=True) as site:
        site.start_deno()
        said = site.run("describe", "web").stdout
        check("Node's cluster protocol, or bind(2) answered by pmx" in said, said)


if __name__ == "__main__":
    run_tests()
