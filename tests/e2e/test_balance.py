"""`pmx balance`: what workers have counted of their clients, and what can be seen of those that do not count."""
import contextlib
import ipaddress
import os
import signal
import socket
from pathlib import Path

from cluster import Site, each_node
from harness import Home, check, run_tests, wait_for


def rows(home, word: str = "web") -> list[dict]:
    """The table, a row each, and what else was said."""
    done = home.run("balance", word)
    lines = [[cell.strip() for cell in line.strip("│\n ").split("│")]
             for line in done.stdout.splitlines() if line.startswith("│")]
    return [dict(zip(lines[0], line)) | {"said": done.stderr} for line in lines[1:]]


def total(home, column: str) -> int:
    """One that does not answer within a second is shown as "-"."""
    def counted():
        cells = [row[column] for row in rows(home)]
        return cells if "-" not in cells else None
    return sum(int(cell) for cell in wait_for("all have answered", counted))


@each_node
def test_workers_count_their_connections_and_requests(node):
    with Site(node) as site:
        site.start_web(3)
        before = total(site, "requests/min")
        for _ in range(40):
            site.ask()
        table = rows(site)
        check([row["worker"] for row in table] == ["0", "1", "2"], f"{table}")
        check(total(site, "requests/min") == before + 40, f"{before} and 40 more: {table}")
        check(total(site, "connections/min") == before + 40, f"{before} and 40 more: {table}")
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(socket.create_connection(("127.0.0.1", site.port), 5))
            wait_for("20 open connections", lambda: total(site, "open") == 20)
        wait_for("none is open", lambda: total(site, "open") == 0)


@each_node
def test_uneven_shares_are_said(node):
    with Site(node) as site, contextlib.ExitStack() as stack:
        site.start_web(2)
        # One that hangs gets nothing: what has waited in its queue goes to the other.
        hangs = site.workers()[0]
        os.kill(hangs, signal.SIGSTOP)
        for _ in range(60):
            stack.enter_context(socket.create_connection(("127.0.0.1", site.port), 5))
        wait_for("the other one has all", lambda: rows(site)[1]["open"] == "60")
        check(rows(site)[0]["requests/min"] == "-", f"of one that hangs nothing is known: {rows(site)}")
        os.kill(hangs, signal.SIGCONT)
        wait_for("it counts again", lambda: rows(site)[0]["requests/min"] != "-")
        check("web: worker 1 has 2.0 times the mean of the open connections" in rows(site)[0]["said"], f"{rows(site)}")


@each_node
def test_what_is_not_known_is_a_dash(node):
    with Site(node) as site, contextlib.ExitStack() as stack:
        site.start_web(2, "--no-drain-hook")
        for _ in range(10):
            stack.enter_context(socket.create_connection(("127.0.0.1", site.port), 5))
        wait_for("10 open connections, seen from outside", lambda: total(site, "open") == 10)
        check(all(row["requests/min"] == row["connections/min"] == "-" for row in rows(site)), f"{rows(site)}")
        site.run("stop", "web")
        check(all(row["open"] == "-" and row["pid"] == "0" for row in rows(site)), f"{rows(site)}")


def own_ipv6_addresses() -> list[str]:
    """Those that can be asked from each other: without links' own. Most machines have one or two."""
    table = Path("/proc/net/if_inet6")
    found = [str(ipaddress.IPv6Address(bytes.fromhex(row.split()[0])))
             for row in (table.read_text().splitlines() if table.exists() else [])]
    return [address for address in found if not ipaddress.ip_address(address).is_link_local]


@each_node
def test_with_sticky_a_client_address_keeps_its_instance_over_a_reload(node):
    with Site(node) as site:
        site.start_web(4, "--balance", "sticky", wait=False)
        wait_for("all are online", lambda: len(site.workers()) == 4)
        clients = [("127.0.0.1", f"127.0.{i}.{i + 1}") for i in range(24)]
        own = own_ipv6_addresses()
        clients += [(own[0], address) for address in own]

        def instances(asking: int) -> dict[str, set[str]]:
            """Which have answered whom."""
            return {source: {site.ask(host=host, source=source)["instance"] for _ in range(asking)}
                    for host, source in clients}

        def serve() -> bool:
            with contextlib.suppress(OSError):
                return len(set.union(*instances(1).values())) == 4
            return False

        wait_for("each of the four has clients", serve)
        before = instances(3)
        check(all(len(one) == 1 for one in before.values()), f"one address has several workers: {before}")
        workers = site.workers()
        for command in (["reload", "web"], ["reload", "web", "--parallel", "4"]):
            site.run(*command, timeout=120)
            workers = site.check_replaced(workers)
            after = instances(3)
            check(after == before, f"instances by client were {before}, are {after}")


def test_separate_processes_and_apps_that_are_not_there():
    with Home() as home:
        home.start("web", "/bin/sleep", args=["1000"])
        row = rows(home)[0]
        check(row["balance"] == row["open"] == row["requests/min"] == "-", f"{row}")
        done = home.run("balance", "nobody", ok=False)
        check("nobody" in done.stderr, done.stderr)
        check(home.run("balance", ok=False).stderr, "without an app nothing is said")


if __name__ == "__main__":
    run_tests()
