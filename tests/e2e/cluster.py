"""The language of the cluster tests: a home with one app of cluster_apps/ on a port of its own.

With PMX_TEST_FULL=1 each_node runs a test with Node 20, 22 and 24, otherwise with the system's own.
"""
from __future__ import annotations

import collections
import contextlib
import functools
import http.client
import json
import os
import shutil
import signal
import socket
import struct
import threading
import time
from pathlib import Path

from cluster_load import Load, Result
from harness import HERE, Failed, Home, alive, check, size, wait_for
from node_cache import VERSIONS, node, system_node, version_of
from stores import free_port

APPS = HERE / "cluster_apps"
MOST_OF_MEAN = 1.3     # Of what a worker has when all have equal shares.
NOTICED_SECONDS = 2.0  # Until a worker that hangs gets nothing new: a second, and what this machine needs.


def each_node(test):
    """The test, which takes a node, with each of them."""
    @functools.wraps(test)
    def with_each():
        for major in size([None], list(VERSIONS)):
            program = node(major) if major else system_node()
            try:
                test(program)
            except Failed as failed:
                raise Failed(f"with Node {version_of(program)}: {failed}") from None
    return with_each


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; a path that begins with NUL is an abstract one."""

    def __init__(self, path: str, timeout: float):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Site(Home):
    """A home whose app lies in its directory `app`, a copy of cluster_apps/, so that it can be deployed anew."""

    def __init__(self, program: Path, env: dict | None = None):
        path = f"{program.parent}:{os.environ['PATH']}"
        super().__init__(env={"PORT": str(free_port()), "PATH": path} | (env or {}))
        self.app_dir = self.work / "app"
        shutil.copytree(APPS, self.app_dir)

    @property
    def port(self) -> int:
        return int(self.env["PORT"])

    def start_web(self, workers: int = 4, *options, script: str = "web.js", wait: bool = True, **more) -> None:
        """The app `web`, and with `wait` until all of its workers serve."""
        if "--listen-timeout" not in options:  # A loaded machine takes its time to start node.
            options += ("--listen-timeout", 20000)
        self.start("web", str(self.app_dir / script), "-i", workers, *options, **more)
        if wait:
            self.everybody(workers)

    def deploy(self, release: str, version: str | None = None) -> None:
        """Replaces the app by another release, as a deploy in place does."""
        shutil.copyfile(APPS / f"{release}.js", self.app_dir / "web.js")
        if version:
            (self.app_dir / "version").write_text(version)

    def instances(self) -> dict[int, dict]:
        """What jlist has, by instance number."""
        return {app["pm2_env"]["NODE_APP_INSTANCE"]: app for app in self.list() if app["name"] == "web"}

    def workers(self) -> dict[int, int]:
        """Pids by instance number, of those that are online."""
        return {i: app["pid"] for i, app in self.instances().items() if app["pm2_env"]["status"] == "online"}

    def ask(self, path: str = "/", port: int = 0, host: str = "127.0.0.1", unix: str = "", timeout: float = 5,
            source: str = ""):
        """The JSON of one answer, on a connection of its own, from the address `source`."""
        connection = (UnixConnection(unix, timeout) if unix else
                      http.client.HTTPConnection(host, port or self.port, timeout=timeout,
                                                 source_address=(source, 0) if source else None))
        with contextlib.closing(connection):
            connection.request("GET", path, headers={"Connection": "close"})
            answer = connection.getresponse()
            body = answer.read()
            check(answer.status == 200, f"{path}: {answer.status} {body[:200]!r}")
            return json.loads(body)

    def everybody(self, count: int, path: str = "/", seconds: float = 30, **where) -> dict[int, dict]:
        """Asks until so many workers have answered: what they said, by pid."""
        said: dict[int, dict] = {}

        def all_of_them() -> bool:
            for _ in range(count):
                with contextlib.suppress(OSError, http.client.HTTPException):
                    answer = self.ask(path, **where)
                    said[answer["pid"]] = answer
            return len(said) >= count

        wait_for(f"answers of {count} workers at {where or self.port}", all_of_them, seconds)
        check(len(said) == count, f"{count} workers were to answer, there are {len(said)}")
        return said

    def refused(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
        except ConnectionRefusedError:
            return True
        return False

    @contextlib.contextmanager
    def loads(self, *kinds: str, connections: int = 12, **more):
        """Loads of these kinds at once; on leaving they have ended, and their results are in `results`."""
        with contextlib.ExitStack() as stack:
            loads = Loads([stack.enter_context(Load(self.port, kind, connections, **more)) for kind in kinds])
            loads.go_on()
            yield loads
            loads.go_on()
            loads.results = [load.result() for load in loads.each]

    def check_replaced(self, before: dict[int, int]) -> dict[int, int]:
        """The same instances, each as another process, and the old ones gone."""
        now = self.workers()
        check(now.keys() == before.keys(), f"instances were {sorted(before)}, are {sorted(now)}")
        same = set(now.values()) & set(before.values())
        check(not same, f"not replaced: {same}")
        wait_for("the old workers are gone", lambda: not any(map(alive, before.values())))
        return now


class Asking:
    """Threads that ask again and again, for what the load clients do not speak. Each has an `ask` of its own, which
    returns the pid of who has answered; ended when it is left."""

    def __init__(self, ask_of_each, clients: int = 4):
        self.answers: collections.Counter = collections.Counter()
        self.failures: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._go_on, args=(ask_of_each(),)) for _ in range(clients)]

    def _go_on(self, ask) -> None:
        while not self._over.is_set():
            try:
                self.answers[ask()] += 1
            except Exception as failure:  # Whatever it is, it is told of.
                self.failures.append(repr(failure))

    def __enter__(self) -> "Asking":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def check_none_failed(self, pids: set[int]) -> None:
        """And each of these has answered some."""
        measured(f"{self.answers.total()} answered, {len(self.failures)} failed")
        check(not self.failures, f"{len(self.failures)} failed: {self.failures[:3]}")
        check(pids <= set(self.answers), f"{pids - set(self.answers)} have answered none")


def has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.create_server(("::1", 0), family=socket.AF_INET6):
        return True
    return False


class Datagrams:
    """A client of udp.js, from a port of its own."""

    def __init__(self, site: Site, host: str):
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.settimeout(5)
        self._socket.connect((host, site.port))
        self._number = 0

    def ask(self) -> int:
        """The pid of who has sent a datagram back. It is a trickle: nothing is lost for want of room."""
        time.sleep(0.005)
        self._number += 1
        self._socket.send(b"%d" % self._number)
        pid, word = self._socket.recv(100).split()
        check(int(word) == self._number, f"{word} is the answer to {self._number}")
        return int(pid)


SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, MSG_DONE, TCP_LISTEN = 20, 0x301, 3, 10


def backlogs(port: int) -> list[int]:
    """How many connections may wait at each listener of this port: sock_diag(7), what `ss` has as its Send-Q."""
    found = []
    for family in (socket.AF_INET, socket.AF_INET6):
        asked = struct.pack("=BBBxI48x", family, socket.IPPROTO_TCP, 0, 1 << TCP_LISTEN)
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as netlink:  # NETLINK_SOCK_DIAG
            netlink.send(struct.pack("=IHHII", 16 + len(asked), SOCK_DIAG_BY_FAMILY, REQUEST_DUMP, 0, 0) + asked)
            kind = 0
            while kind != MSG_DONE:
                data = netlink.recv(1 << 16)
                while data:
                    size_bytes, kind = struct.unpack_from("=IH", data)
                    if kind == SOCK_DIAG_BY_FAMILY and struct.unpack_from("!H", data, 20)[0] == port:
                        found.append(struct.unpack_from("=I", data, 76)[0])
                    data = data[size_bytes + 3 & ~3:]
    return found


class Loads:
    def __init__(self, each: list[Load]):
        self.each = each
        self.results: list[Result] = []

    def go_on(self, more: int = 30) -> None:
        """Until each has got some more answers."""
        for load in self.each:
            load.wait_for_answers(more, 30)

    def wait_for_worker(self, pid: int, since: float = 0.0, seconds: float = 30) -> None:
        """Until this worker has answered, or answered again."""
        wait_for(f"an answer of {pid}", lambda: any(
            load.now().workers.get(pid, {}).get("last", 0) > since for load in self.each), seconds)

    def pids(self) -> set[int]:
        """Who has answered so far."""
        return {pid for load in self.each for pid in load.now().workers}

    def check_none_failed(self) -> None:
        for load, result in zip(self.each, self.results):
            try:
                result.check_none_failed()
            except Failed as failed:
                raise Failed(f"load \"{load.kind}\": {failed}") from None

    @property
    def failures(self):
        return [failure for result in self.results for failure in result.failures]

    def summary(self) -> str:
        return "; ".join(f"{load.kind}: {result.summary()}" for load, result in zip(self.each, self.results))


def check_even(what: str, counts: dict[int, int], pids: set[int]) -> None:
    shares = [counts.get(pid, 0) for pid in pids]
    mean = sum(shares) / len(shares)
    worst = max(shares) / mean if mean else 0
    measured(f"{what}: {sorted(shares)}, max/mean {worst:.2f}")
    check(mean and worst <= MOST_OF_MEAN, f"{what}: max/mean is {worst:.2f}: {sorted(shares)}")
    check(set(counts) <= pids, f"others have answered than {pids}")


def check_equal_shares(site: Site, what: str) -> None:
    """Of connections, one for each request. Chance alone, which has the choice, gives 1.1 times the mean here."""
    with Load(site.port, "close", 32, path="/") as load:
        load.wait_for_answers(200)
        begin = time.monotonic()
        load.wait_for_answers(size(2000, 20000), 240)
        result = load.result()
    result.check_none_failed()
    check_even(what, result.between(begin, result.ended), set(site.workers().values()))


def stop_for(seconds: float, pid: int, load: Load) -> tuple[float, Result, float]:
    """When it was stopped, what the load had seen by the end of that, and when it went on."""
    stopped = time.monotonic()
    os.kill(pid, signal.SIGSTOP)
    try:
        sleep_until(stopped + seconds)
        seen = load.now()
    finally:
        os.kill(pid, signal.SIGCONT)
    return stopped, seen, time.monotonic()


def check_one_that_is_stopped_gets_no_more(site: Site) -> None:
    """What lies with it when that is noticed waits for it. Whoever comes later is served by the others alike."""
    seconds = size(6.0, 12.0)
    # So many that most of them are not with it before it is noticed.
    with Load(site.port, "close", 64, path="/", pause=0.3) as load:
        load.wait_for_answers(200)
        victim = site.workers()[1]
        stopped, seen, continued = stop_for(seconds, victim, load)
        wait_for("it serves again", lambda: load.now().workers[victim]["last"] > continued + 0.5, 60)
        result = load.result()
    check(site.workers()[1] == victim, "it was restarted")
    lost = [failure.begun - stopped for failure in result.failures]
    late = [begun - stopped for begun, _, pid in result.slow if pid == victim and begun < continued]
    measured(f"{result.failed} of {result.answered} hung")
    check({failure.kind for failure in result.failures} <= {"hung"}, result.summary())
    check(max(lost + late, default=0) < NOTICED_SECONDS, f"given to it so many s after the stop: {sorted(lost + late)}")
    check_even("the others", seen.between(stopped + NOTICED_SECONDS, stopped + seconds),
               set(site.workers().values()) - {victim})


def measured(text: str) -> None:
    print(f"      {text}", flush=True)


def sleep_until(when: float) -> None:
    time.sleep(max(0.0, when - time.monotonic()))
