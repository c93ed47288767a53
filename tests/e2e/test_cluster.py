"""Cluster mode as a Node program sees it: what it finds at its start, wherever it listens, what it may do with its
channel. `-i` of a Node program means cluster mode; all programs here are ordinary ones of Node's cluster."""
import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

from cluster import Datagrams, Site, backlogs, each_node, has_ipv6
from cluster_clients import any_certificate, certificate
from cluster_load import Load
from harness import PMX, alive, check, run_tests, wait_for
from node_cache import VERSIONS, system_node, version_of
from node_cache import node as node_of_major
from stores import free_port, free_ports

TEST_NET = "192.0.2.1"  # RFC 5737: an address that nobody has.
CLUSTER_VARIABLES = {"NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID"}


# What a worker finds.

@each_node
def test_all_workers_serve_one_port_and_each_knows_its_number(node):
    with Site(node) as site:
        site.start_web(4)
        said = site.everybody(4, "/env")
        check({pid: answer["instance"] for pid, answer in said.items()}
              == {pid: str(i) for i, pid in site.workers().items()}, f"{said} {site.workers()}")
        check(sorted(answer["instance"] for answer in said.values()) == ["0", "1", "2", "3"], f"{said}")
        check({answer["node"] for answer in said.values()} == {version_of(node)}, "it is another node")
        check({app["pm2_env"]["exec_mode"] for app in site.instances().values()} == {"cluster_mode"}, "exec_mode")


@each_node
def test_a_worker_is_a_worker_of_cluster_and_its_environment_is_clean(node):
    with Site(node) as site:
        site.start_web(4)
        said = site.everybody(4, "/env").values()
        check(all(answer["isWorker"] is True and answer["connected"] for answer in said), f"{said}")
        ids = [answer["id"] for answer in said]
        check(all(isinstance(one, int) for one in ids) and len(set(ids)) == 4, f"worker ids {ids}")
        for answer in said:
            check(not CLUSTER_VARIABLES & set(answer["env"]), f"{CLUSTER_VARIABLES & set(answer['env'])}")
        site.run("restart", "web")
        again = [answer["id"] for answer in site.everybody(4, "/env").values()]
        check(len(set(again)) == 4, f"worker ids {again} after a restart")


def test_two_majors_of_node_serve_side_by_side_and_are_reloaded_apart():
    first = system_node()
    second = node_of_major(next(major for major in VERSIONS if not version_of(first).startswith(f"v{major}.")))
    with Site(first) as site:
        apps = {"web": (first, site.port), "other": (second, free_port())}
        for name, (node, port) in apps.items():
            site.start(name, str(site.app_dir / "web.js"), "-i", 2, "--interpreter", node, "--listen-timeout", 20000,
                       env={"PORT": str(port)})

        def serving() -> dict[str, set[int]]:
            """The pids by app; each answers with the version of its own node."""
            said = {name: site.everybody(2, "/env", port=port) for name, (_, port) in apps.items()}
            for name, (node, _) in apps.items():
                found = {(one["node"], one["isWorker"]) for one in said[name].values()}
                check(found == {(version_of(node), True)}, f"{name}: {found}")
            return {name: set(answers) for name, answers in said.items()}

        before = serving()
        for name, (_, port) in apps.items():
            rest = next(one for one in apps if one != name)
            with Load(port, "close") as load, Load(apps[rest][1], "keep") as undisturbed:
                load.wait_for_answers()
                site.run("reload", name, timeout=120)
                load.wait_for_answers()
                for one in (load, undisturbed):
                    one.result().check_none_failed()
            now = serving()
            check(not now[name] & before[name], f"{name} was not replaced: {now}")
            check(now[rest] == before[rest], f"{rest} was disturbed: {before} {now}")
            before = now


# Wherever a program listens.

def listen(site: Site, *where: dict, workers: int = 2, **more) -> list[list[dict]]:
    """Starts listen.js. What became of each place, by worker."""
    site.start_web(workers, "--cwd", site.work, script="listen.js", wait=False,
                   args=[json.dumps(one) for one in where], **more)
    return became(site, workers)


def became(site: Site, workers: int = 2) -> list[list[dict]]:
    def told():
        files = [site.work / f"listen-{i}.json" for i in range(workers)]
        said = [json.loads(file.read_text()) for file in files if file.exists()]
        now = site.workers()
        return [one["became"] for one in said] if [one["pid"] for one in said] == list(now.values()) else None

    return wait_for("what became of the listening", told, 30)


def addresses(rows: list[dict]) -> list[dict]:
    check(all("address" in row for row in rows), f"it could not listen: {rows}")
    return [row["address"] for row in rows]


@each_node
def test_wherever_a_program_listens_all_workers_serve(node):
    with Site(node) as site:
        ports = free_ports(7)
        places = [({"port": ports[0]}, ["127.0.0.1", "::1"]),  # Any address, of both families.
                  ({"port": ports[1], "host": "0.0.0.0"}, ["127.0.0.1"]),
                  ({"port": ports[2], "host": "127.0.0.1"}, ["127.0.0.1"]),
                  ({"port": ports[3], "host": "localhost"}, ["localhost"]),
                  ({"port": ports[4], "backlog": 16}, ["127.0.0.1"])]
        if has_ipv6():
            places += [({"port": ports[5], "host": "::1"}, ["::1"]),
                       ({"port": ports[6], "host": "::", "ipv6Only": True}, ["::1"])]
        first, second = listen(site, *(place for place, _ in places))
        check(addresses(first) == addresses(second), f"{first} {second}")
        check([one["port"] for one in addresses(first)] == [place["port"] for place, _ in places], f"{first}")
        for place, hosts in places:
            for host in hosts:
                if ":" not in host or has_ipv6():
                    site.everybody(2, port=place["port"], host=host)
        if has_ipv6():
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", ports[6]), 5)
                check(False, "a port of IPv6 alone is there for IPv4")


@each_node
def test_a_listener_has_the_backlog_that_was_asked_for(node):
    with Site(node) as site:
        small, usual = free_ports(2)
        most = int(Path("/proc/sys/net/core/somaxconn").read_text())
        listen(site, {"port": small, "backlog": 16}, {"port": usual})
        for again in (False, True):
            if again:  # The successors have slots of their own.
                site.run("reload", "web", timeout=120)
                became(site)
            for port, wanted in ((small, 16), (usual, min(511, most))):  # 511 is Node's own.
                found = backlogs(port)
                check(found and set(found) == {wanted}, f"{port}: {wanted} was asked for, listeners have {found}")


@each_node
def test_a_port_that_is_closed_can_be_opened_again_at_once(node):
    for workers in (1, 2):
        with Site(node) as site:
            ports = free_ports(8)  # Of two, the last to close may be the first to open.
            for worker in listen(site, *({"port": port, "again": True} for port in ports), workers=workers):
                check([one["port"] for one in addresses(worker)] == ports, f"{worker}")
            for port in ports:
                site.everybody(workers, port=port)


@each_node
def test_port_0_is_one_port_for_all_workers_and_another_for_each_listen(node):
    with Site(node) as site:
        first, second = listen(site, {"port": 0}, {"port": 0})
        check(addresses(first) == addresses(second), f"the workers differ: {first} {second}")
        ports = [one["port"] for one in addresses(first)]
        check(len(set(ports)) == 2 and all(ports), f"the ports are {ports}")
        for port in ports:
            site.everybody(2, port=port)


@each_node
def test_unix_sockets_are_shared_with_the_modes_that_were_asked_for(node):
    with Site(node) as site:
        path, abstract = site.work / "web.sock", f"\0pmx-test-{site.port}"
        first, second = listen(site, {"path": str(path), "readableAll": True, "writableAll": True},
                               {"path": "relative.sock"}, {"path": abstract})
        check(addresses(first) == addresses(second), f"{first} {second}")
        check(path.stat().st_mode & 0o666 == 0o666, f"its mode is {path.stat().st_mode:o}")
        for unix in (str(path), str(site.work / "relative.sock"), abstract):
            site.everybody(2, unix=unix)
        site.run("stop", "web")
        with contextlib.suppress(ConnectionRefusedError, FileNotFoundError):
            site.ask(unix=str(path))
            check(False, "the socket still answers after a stop")
        site.run("start", "web")  # Nor is a path that was left there in the way.
        site.everybody(2, unix=str(path))


@each_node
def test_exclusive_is_the_port_of_one_worker(node):
    with Site(node) as site:
        rows = [worker[0] for worker in listen(site, {"port": site.port, "exclusive": True})]
        codes = sorted(row["error"]["code"] if "error" in row else "" for row in rows)
        check(codes == ["", "EADDRINUSE"], f"{rows}")
        check(len({site.ask()["pid"] for _ in range(10)}) == 1, "more than one serves")


@each_node
def test_udp_ports_are_shared(node):
    ways = [("127.0.0.1", {}), ("127.0.0.1", {"REUSE": "1"}), *([("::1", {"UDP": "udp6"})] if has_ipv6() else [])]
    with Site(node) as site:
        for host, options in ways:
            site.start_web(2, script="udp.js", wait=False, env=options)
            seen = set()

            def both_answer(host=host, seen=seen):
                for _ in range(20):
                    with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                        seen.add(Datagrams(site, host).ask())
                return seen == set(site.workers().values())

            wait_for("answers of both workers", both_answer, 30)
            site.run("delete", "web")


# Where it cannot listen.

def without_pmx(site: Site, node: Path, way: str, places: list[dict], rights=()) -> list[dict]:
    """What becomes of the places of listen.js in Node's own cluster ("cluster") or in no cluster ("plain")."""
    directory = site.work / way
    directory.mkdir()
    primary = [site.app_dir / "primary.js"] if way == "cluster" else []
    command = [*rights, node, *primary, site.app_dir / "listen.js", *map(json.dumps, places)]
    process = subprocess.Popen(command, cwd=directory, env=site.env | {"NODE_APP_INSTANCE": "0"})
    try:
        file = directory / "listen-0.json"
        wait_for(f"what Node says, {way}", file.exists)
        return json.loads(file.read_text())["became"]
    finally:
        process.kill()  # A worker ends with its primary.
        process.wait()


def check_as_without_pmx(site: Site, node: Path, places: list[dict], rows: list, rights=()) -> None:
    """Errors are those of Node's own cluster in all that they say. Those of a server alone differ in the name of the
    call, and so in the message, and in the address where none was given."""
    own, plain = (without_pmx(site, node, way, places, rights) for way in ("cluster", "plain"))
    for worker in rows:
        for place, here, in_cluster, alone in zip(places, worker, own, plain, strict=True):
            check(here == in_cluster, f"{place}: {here}, in Node's own cluster {in_cluster}")
            given = ["address"] if "host" in place or "path" in place else []
            same = ["code", "errno", "port", *given]
            check([here["error"][name] for name in same] == [alone["error"][name] for name in same],
                  f"{place}: {here}, of a server alone {alone}")


@each_node
def test_the_error_of_a_listen_is_the_programs_to_handle(node):
    with Site(node) as site:
        taken, own = free_port(), free_port()
        places = [{"port": taken, "host": "127.0.0.1"}, {"port": site.port}, {"port": own, "host": TEST_NET},
                  {"path": "/nowhere/web.sock"}]
        with socket.create_server(("127.0.0.1", taken)), socket.create_server(("", site.port)):
            rows = listen(site, *places, {"port": own, "host": "127.0.0.1", "twice": True})
            check_as_without_pmx(site, node, places, [worker[:4] for worker in rows])
        for worker in rows:
            codes = [row["error"]["code"] if "error" in row else "" for row in worker]
            # Node itself says EACCES for a directory that is not there (libuv, unix/pipe.c).
            check(codes == ["EADDRINUSE", "EADDRINUSE", "EADDRNOTAVAIL", "EACCES", "", "EADDRINUSE"], f"{worker}")
        site.everybody(2, port=own)
        check(all(app["pm2_env"]["restart_time"] == 0 for app in site.list()), "a worker was restarted")


@each_node
def test_a_port_that_only_root_may_have_is_eacces(node):
    low = int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    with Site(node) as site:
        closed = site.work / "closed"
        closed.mkdir(mode=0o555)
        places = [{"path": str(closed / "web.sock")}, *([{"port": low - 1}] if low > 1 else [])]
        # Of a daemon that root has started, too: without the rights that make root root.
        less = [f"--{which}=-net_bind_service,-dac_override" for which in ("bounding-set", "inh-caps")]
        rights = ["setpriv", *less] if os.geteuid() == 0 else []
        command = [PMX, "start", site.app_dir / "listen.js", "--name", "web", "-i", "2", "--cwd", site.work, "--",
                   *map(json.dumps, places)]
        done = subprocess.run([*rights, *map(str, command)], env=site.env, capture_output=True, text=True,
                              timeout=60)
        check(done.returncode == 0, f"{done.stdout}{done.stderr}")
        rows = became(site)
        for worker in rows:
            check([row["error"]["code"] for row in worker] == ["EACCES"] * len(places), f"{worker}")
        check_as_without_pmx(site, node, places, rows, rights)


@each_node
def test_who_does_not_handle_it_ends_and_pmx_says_why(node):
    with Site(node) as site, socket.create_server(("127.0.0.1", site.port)):
        site.start("web", str(site.app_dir / "web.js"), "-i", 1, "--max-restarts", 1, ok=None)
        wait_for("the end", lambda: site.status("web") == "errored")
        said = site.run("why", "web", ok=None)
        check("EADDRINUSE" in said.stdout + said.stderr, said.stdout + said.stderr)


# https, websockets, and the channel.

@each_node
def test_a_tls_session_is_resumed_by_every_worker_and_after_a_reload(node):
    with Site(node) as site:
        certificate(site)
        site.start_web(4, "--cwd", site.work, script="tls.js", wait=False)
        context = any_certificate()
        context.maximum_version = ssl.TLSVersion.TLSv1_2  # Its tickets are there when the handshake is.

        def ask(session=None) -> tuple[int, bool, ssl.SSLSession]:
            with socket.create_connection(("127.0.0.1", site.port), 5) as plain:
                with context.wrap_socket(plain, session=session) as secure:
                    secure.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    data = b"".join(iter(lambda: secure.recv(4096), b""))
                    return json.loads(data.partition(b"\r\n\r\n")[2])["pid"], secure.session_reused, secure.session

        def every_worker_resumes(session) -> None:
            wanted, seen = set(site.workers().values()), set()
            end = time.monotonic() + 30
            while time.monotonic() < end:
                pid, resumed, _ = ask(session)
                check(resumed, f"{pid} did not resume the session")
                seen.add(pid)
                if seen == wanted:
                    return
            check(False, f"only {seen} of {wanted} have answered")

        def served():
            with contextlib.suppress(OSError):
                return ask()

        session = wait_for("https", served)[2]
        every_worker_resumes(session)
        site.run("reload", "web", timeout=120)
        every_worker_resumes(session)


class Upgraded:
    """A connection to upgrade.js: lines go out and come back with a pid before them."""

    def __init__(self, site: Site):
        self.socket = socket.create_connection(("127.0.0.1", site.port), 10)
        self.file = self.socket.makefile("rw", newline="\n")
        self.file.write("GET /lines HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: lines\r\n\r\n")
        self.file.flush()
        head = [self.file.readline() for _ in range(4)]
        check(head[0].startswith("HTTP/1.1 101 "), f"{head}")

    def say(self, word: str) -> int:
        """The pid of whoever sends it back; 0 where the connection has ended."""
        try:
            self.file.write(f"{word}\n")
            self.file.flush()
            line = self.file.readline()
        except OSError:
            return 0
        check(not line or line.split()[1] == word, f"{line!r}")
        return int(line.split()[0]) if line else 0


@each_node
def test_upgraded_connections_last_until_kill_timeout_and_are_counted(node):
    with Site(node) as site:
        site.start_web(1, "--kill-timeout", 8000, script="upgrade.js")
        (old,) = site.workers().values()
        lines = [Upgraded(site) for _ in range(3)]
        check([one.say("before") for one in lines] == [old] * 3, "before the reload")
        reload = site.spawn("reload", "web", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        wait_for("the new worker takes all new connections",
                 lambda: all(site.ask()["pid"] != old for _ in range(10)))
        check([one.say("during") for one in lines] == [old] * 3, "during the reload")
        check(Upgraded(site).say("new") != old, "the old worker takes new connections")
        said, _ = reload.communicate(timeout=60)
        check(reload.returncode == 0, said)
        wait_for("the old worker's end", lambda: not alive(old))
        check([one.say("after") for one in lines] == [0] * 3, "after the reload")
        line = next((line for line in site.own_log().splitlines() if "has not let go" in line), said)
        check("[web:0]" in line and f"pid {old} has not let go within 8000ms, and held 3 connections" in line,
              f"nobody says who held how many connections: {line}")


@each_node
def test_messages_and_handles_to_the_parent_do_not_stall_a_worker(node):
    with Site(node) as site:
        site.start_web(2, script="talks.js")
        for path in ("/send?300000", "/hand", "/send?10", "/hand", "/send?300000"):
            site.everybody(2, path)
        site.everybody(2)
        check(all(app["pm2_env"]["restart_time"] == 0 for app in site.list()), "a worker was restarted")


@each_node
def test_a_workers_children_have_neither_its_channel_nor_its_sockets(node):
    with Site(node) as site:
        site.start_web(2, script="talks.js")
        child = site.ask("/child")
        check(not CLUSTER_VARIABLES & set(child["env"]), f"{CLUSTER_VARIABLES & set(child['env'])}")
        check(not [link for link in child["open"] if link.startswith("socket:")], f"{child['open']}")


@each_node
def test_a_worker_that_leaves_the_cluster_ends_with_0_and_is_started_again(node):
    with Site(node) as site:
        site.start_web(2, script="talks.js")
        for path in ("/disconnect", "/kill"):
            before = site.workers()
            gone = site.ask(path)["pid"]
            wait_for(f"its end after {path}", lambda: not alive(gone))
            wait_for("another in its place", lambda: len(site.workers()) == 2 and gone not in site.workers().values())
            instance = next(i for i, pid in before.items() if pid == gone)
            last = site.instances()[instance]["pmx"]["last_exit"]
            check(last["code"] == 0, f"{path}: last exit {last}")
            check(site.workers()[1 - instance] == before[1 - instance], "the other one was disturbed")
            site.everybody(2)


@each_node
def test_a_killed_worker_comes_back_and_takes_part(node):
    with Site(node) as site:
        site.start_web(2)
        before = site.workers()
        os.kill(before[1], signal.SIGKILL)
        wait_for("another in its place", lambda: site.workers().get(1, before[1]) != before[1])
        now = site.workers()
        check(now[0] == before[0], "the other one was disturbed")
        check(set(site.everybody(2)) == set(now.values()), f"others serve than {now}")


if __name__ == "__main__":
    run_tests()
