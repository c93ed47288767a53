"""Load for the tests of cluster mode: HTTP/1.1 requests from many connections at once, each failure with its kind.

    with Load(port, "keep", 12) as load:         # a process of its own
        ...
        load.now().by_worker                     # what was answered so far, and by whom
    load.result().failures                       # [] where nobody was disturbed

Kinds of load (KINDS): a connection for each request, connections kept alive, kept alive with pauses, and
requests that take 300 ms. The app answers with JSON: {"pid", "instance", "version"} (cluster_apps/answer.js).

What counts as a failure, by kind:

    refused    the connection was refused
    reset      no byte of an answer came: reset, or closed after the request had been sent
    cut        a part of the answer came, and no more
    hung       no whole answer within 5 s
    wrong      a whole answer, but not 200 with an app's JSON

A connection that the server closes between two requests is no failure: it is opened anew, as every client
does. One that it closes when a request has been sent is one, although clients often try again by themselves.

As a program: `cluster_load.py PORT [--kind keep] [--connections 12] [--path /20] [--seconds 10]` prints a
summary.
"""
from __future__ import annotations

import argparse
import collections
import contextlib
import errno
import heapq
import json
import os
import resource
import select
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, replace

from harness import Failed, check

HUNG_SECONDS = 5.0
SLOW_SECONDS = 1.0     # Answers that took longer are listed one by one.
BUCKETS_A_SECOND = 10  # Answers are counted in tenths of a second.
MAX_LISTED = 10000     # Failures and slow answers in a result; all are counted.


@dataclass(frozen=True)
class Kind:
    path: str
    kept_alive: float     # Share of the connections that are kept alive.
    pause: float = 0.0    # Between an answer and the next request, in seconds.


KINDS = {
    "close": Kind("/20", 0),
    "keep": Kind("/20", 1),
    "pauses": Kind("/20", 1, 0.03),
    "slow": Kind("/300", 0.5),
}


@dataclass(frozen=True)
class Failure:
    kind: str
    begun: float    # When its request began, connecting included, on the clock of time.monotonic().
    at: float
    worker: int     # The pid that had answered on this connection before; 0 where nobody had.
    detail: str


class Result:
    """What one load has seen."""

    def __init__(self, data: dict):
        self.begun, self.ended = data["begun"], data["ended"]
        self.failed: int = data["failed"]
        self.failures = [Failure(*row) for row in data["failures"]]
        self.workers = {int(pid): about for pid, about in data["workers"].items()}  # instance, version, first, last.
        self.connections = {int(pid): count for pid, count in data["connections"].items()}  # Open now, by who answers.
        self.waiting: list[float] = data["waiting"]  # When the requests began that nobody has answered yet.
        self.slow: list[tuple[float, float, int]] = [tuple(row) for row in data["slow"]]  # begun, seconds, pid.
        self.slowest: float = data["slowest"]
        self._buckets = [(at / BUCKETS_A_SECOND, pid, count) for at, pid, count in data["buckets"]]

    @property
    def answered(self) -> int:
        return sum(count for _, _, count in self._buckets)

    @property
    def by_worker(self) -> dict[int, int]:
        return self.between(0, float("inf"))

    def between(self, begin: float, end: float) -> dict[int, int]:
        """Answers by pid of those tenths of a second that lie wholly between these times."""
        counts = collections.Counter()
        for at, pid, count in self._buckets:
            if at >= begin and at + 1 / BUCKETS_A_SECOND <= end:
                counts[pid] += count
        return dict(counts)

    @property
    def versions(self) -> set[str]:
        return {about["version"] for about in self.workers.values()}

    def summary(self) -> str:
        kinds = dict(collections.Counter(failure.kind for failure in self.failures))
        first = "".join(f"\n  {f.kind} after {f.at - f.begun:.3f} s, {f.begun - self.begun:.3f} s into the load, on a "
                        f"connection of {f.worker or 'nobody yet'}: {f.detail}" for f in self.failures[:10])
        seconds = self.ended - self.begun
        return (f"{self.answered} answered in {seconds:.1f} s by {len(self.workers)} workers, "
                f"slowest {self.slowest:.3f} s, {self.failed} failed {kinds or ''}{first}")

    def check_none_failed(self, least: int = 1) -> None:
        check(self.failed == 0, self.summary())
        check(self.answered >= least, f"hardly any load: {self.summary()}")


class Load:
    """A load that runs beside the test, in a process of its own, until it is left or asked for its result."""

    def __init__(self, port: int, kind: str = "close", connections: int = 12, **more):
        """`more` as on the command line: path, pause, host."""
        self.kind = kind
        self._words = [str(port), "--kind", kind, "--connections", str(connections), "--asked"]
        self._words += [f"--{name}={value}" for name, value in more.items()]
        self._process: subprocess.Popen | None = None
        self._result: Result | None = None

    def __enter__(self) -> "Load":
        self._process = subprocess.Popen([sys.executable, __file__, *self._words], text=True,
                                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self

    def __exit__(self, kind, *_) -> None:
        try:
            if not kind:
                self.result()
        finally:
            self._process.kill()
            self._process.communicate()

    def now(self) -> Result:
        """What was seen up to now."""
        self._process.stdin.write("now\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        check(line, f"the load client of {self.kind} has ended")
        return Result(json.loads(line))

    def result(self) -> Result:
        """Ends the load, which waits for the answers of what it has asked, and says what was seen."""
        if not self._result:
            line, _ = self._process.communicate(timeout=HUNG_SECONDS + 30)
            check(line, f"the load client of {self.kind} has ended with {self._process.returncode}")
            self._result = Result(json.loads(line))
        return self._result

    def wait_for_answers(self, more: int = 50, seconds: float = 20) -> Result:
        """Until so many more were answered."""
        before = self.now().answered
        end = time.monotonic() + seconds
        while (seen := self.now()).answered < before + more:
            check(time.monotonic() < end, f"within {seconds:g} s not {more} more answers: {seen.summary()}")
            time.sleep(0.05)
        return seen


# The client itself: one thread, one epoll. A connection's step() goes on as far as it can.

class Broken(Exception):
    """A request without its answer."""

    def __init__(self, kind: str, detail: str):
        super().__init__(detail)
        self.kind = kind


class Connection:
    __slots__ = ("client", "kept_alive", "request", "socket", "begun", "sent", "answer", "worker", "writable")

    def __init__(self, client: "Client", kept_alive: bool, request: bytes):
        self.client, self.kept_alive, self.request = client, kept_alive, request
        self.socket: socket.socket | None = None
        self.begun = 0.0       # 0: no request is on its way.
        self.sent = False
        self.answer = b""
        self.worker = 0        # The pid that answered last on this connection.
        self.writable = False  # What epoll was asked for.

    def begin(self) -> None:
        """The next request, on the open connection or on a new one."""
        self.begun, self.sent, self.answer = time.monotonic(), False, b""
        if self.socket and self.closed_by_server():
            self.close()
        if not self.socket:
            self.open()
        self.step()

    def closed_by_server(self) -> bool:
        """Nothing is to be read between two requests, but for the end."""
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            pass
        return True

    def open(self) -> None:
        self.worker = 0
        self.socket = socket.socket(self.client.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self.socket.connect_ex(self.client.address)
        self.client.watch(self, writable=False)
        if code not in (0, errno.EINPROGRESS, errno.ECONNREFUSED):
            raise OSError(code, os.strerror(code))  # The client's own trouble: no port or descriptor left.

    def step(self) -> None:
        try:
            if not self.sent:
                self.send()
            if self.sent:
                self.receive()
        except BlockingIOError:
            if self.writable == self.sent:
                self.client.watch_again(self, writable=not self.sent)
        except Broken as broken:
            self.client.failed(self, broken)

    def send(self) -> None:
        # On loopback a connection is there, or refused, at once: most need no turn of epoll.
        try:
            self.socket.send(self.request)
        except ConnectionRefusedError as error:
            raise Broken("refused", str(error)) from None
        except (ConnectionResetError, BrokenPipeError) as error:
            if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED:
                raise Broken("refused", "the connection") from None
            raise Broken("reset", f"while sending: {error}") from None
        self.sent = True

    def receive(self) -> None:
        while True:
            try:
                data = self.socket.recv(65536)
            except (ConnectionResetError, BrokenPipeError) as error:
                raise Broken("cut" if self.answer else "reset", f"{error} after {self.answer[-80:]!r}") from None
            if not data:
                raise Broken("cut" if self.answer else "reset", f"closed after {self.answer[-80:]!r}")
            self.answer += data
            head, middle, body = self.answer.partition(b"\r\n\r\n")
            if middle and self.whole(head, body):
                return

    def whole(self, head: bytes, body: bytes) -> bool:
        words = head.lower()
        at = words.find(b"\r\ncontent-length:")
        if at < 0:
            raise Broken("wrong", f"no length: {head[:200]!r}")
        length = int(words[at + 17:].partition(b"\r\n")[0])
        if len(body) < length:
            return False
        if not words.startswith(b"http/1.1 200 ") or len(body) > length:
            raise Broken("wrong", f"{head[:80]!r} {body[:80]!r}")
        self.worker = self.client.worker_of(body)
        if not self.kept_alive or b"\r\nconnection: close" in words:
            self.close(forget=False)
        self.client.answered(self)
        return True

    def close(self, forget: bool = True) -> None:
        if self.socket:
            self.socket.close()
            self.socket = None
        if forget:
            self.worker = 0


class Client:
    def __init__(self, host: str, port: int, kind: Kind, connections: int):
        self.address, self.family = (host, port), socket.AF_INET6 if ":" in host else socket.AF_INET
        self.kind = kind
        self.epoll = select.epoll()
        self.by_fd: dict[int, Connection] = {}
        self.due: list[tuple[float, int]] = []  # When which connection begins its next request.
        self.connections: list[Connection] = []
        self.answers = collections.Counter()    # By (tenth of a second, pid).
        self.failures: list[tuple] = []
        self.slow: list[tuple] = []
        self.fails, self.slowest, self.last_look = 0, 0.0, 0.0
        self.workers: dict[int, dict] = {}
        self.pids: dict[bytes, int] = {}        # By the body: a worker always answers the same.
        self.ending = False
        self.begun = time.monotonic()
        at_host = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        for i in range(connections):
            kept = i < connections * kind.kept_alive
            request = (f"GET {kind.path} HTTP/1.1\r\nHost: {at_host}\r\n"
                       f"{'' if kept else 'Connection: close' + chr(13) + chr(10)}\r\n").encode()
            self.connections.append(Connection(self, kept, request))
            # One after the other: a thousand at once would overflow a queue of 511.
            heapq.heappush(self.due, (self.begun + i * 0.001, i))
        self.number = {connection: i for i, connection in enumerate(self.connections)}

    # What connections ask and tell.

    def watch(self, connection: Connection, writable: bool) -> None:
        connection.writable = writable
        self.by_fd[connection.socket.fileno()] = connection
        self.epoll.register(connection.socket, select.EPOLLOUT if writable else select.EPOLLIN)

    def watch_again(self, connection: Connection, writable: bool) -> None:
        connection.writable = writable
        self.epoll.modify(connection.socket, select.EPOLLOUT if writable else select.EPOLLIN)

    def worker_of(self, body: bytes) -> int:
        pid = self.pids.get(body)
        if pid is None:
            try:
                about = json.loads(body)
                pid = about["pid"]
            except (ValueError, TypeError, KeyError):
                raise Broken("wrong", f"{body[:200]!r}") from None
            self.pids[body] = pid
            self.workers[pid] = {"instance": about.get("instance"), "version": about.get("version"),
                                 "first": time.monotonic()}
        return pid

    def answered(self, connection: Connection) -> None:
        now = time.monotonic()
        self.answers[int(now * BUCKETS_A_SECOND), connection.worker] += 1
        self.workers[connection.worker]["last"] = now
        took = now - connection.begun
        self.slowest = max(self.slowest, took)
        if took > SLOW_SECONDS and len(self.slow) < MAX_LISTED:
            self.slow.append((connection.begun, took, connection.worker))
        self.next_after(connection, now + self.kind.pause)

    def failed(self, connection: Connection, broken: Broken) -> None:
        now = time.monotonic()
        self.fails += 1
        if len(self.failures) < MAX_LISTED:
            self.failures.append((broken.kind, connection.begun, now, connection.worker, str(broken)))
        connection.close()
        self.next_after(connection, now + 0.01)  # A port that is closed shall not be asked in a circle.

    def next_after(self, connection: Connection, when: float) -> None:
        connection.begun = 0.0
        if not self.ending:
            heapq.heappush(self.due, (when, self.number[connection]))

    # Its turn.

    def run(self, asked, seconds: float) -> None:
        """Until `asked` (a descriptor) is at its end, or for some seconds."""
        end = self.begun + seconds
        if asked is not None:
            self.epoll.register(asked, select.EPOLLIN)
        while not self.ending or any(connection.begun for connection in self.connections):
            now = time.monotonic()
            if now >= end and not self.ending:
                self.ending, self.due = True, []
            while self.due and self.due[0][0] <= now:
                self.connections[heapq.heappop(self.due)[1]].begin()
            self.look_for_hung(now)
            wait = min(0.1, self.due[0][0] - time.monotonic()) if self.due else 0.1
            for fd, _ in self.epoll.poll(max(wait, 0)):
                if fd == asked:
                    self.hear(asked)
                    continue
                connection = self.by_fd[fd]
                if connection.socket and connection.socket.fileno() == fd:  # Not closed a moment ago.
                    self.turn(connection)

    def turn(self, connection: Connection) -> None:
        if connection.begun:
            connection.step()
        elif connection.closed_by_server():  # Between two requests.
            connection.close()

    def hear(self, asked: int) -> None:
        words = os.read(asked, 4096)
        if not words:
            self.ending, self.due = True, []
            self.epoll.unregister(asked)
        for _ in range(words.count(b"\n")):
            print(json.dumps(self.seen()), flush=True)

    def look_for_hung(self, now: float) -> None:
        if now - self.last_look < 0.1:
            return
        self.last_look = now
        for connection in self.connections:
            if connection.begun and now - connection.begun > HUNG_SECONDS:
                what = f"after {connection.answer[-80:]!r}" if connection.sent else "while connecting"
                self.failed(connection, Broken("hung", what))

    def seen(self) -> dict:
        open_to = collections.Counter(c.worker for c in self.connections if c.socket and c.worker)
        return {"begun": self.begun, "ended": time.monotonic(), "failed": self.fails, "failures": self.failures,
                "workers": self.workers, "connections": open_to, "slow": self.slow, "slowest": self.slowest,
                "waiting": [c.begun for c in self.connections if c.begun],
                "buckets": [[at, pid, count] for (at, pid), count in self.answers.items()]}


def main() -> None:
    parser = argparse.ArgumentParser(prog="cluster_load.py", description="HTTP load that names each failure.")
    parser.add_argument("port", type=int)
    parser.add_argument("--kind", choices=KINDS, default="close")
    parser.add_argument("--connections", type=int, default=12)
    parser.add_argument("--path", help="how many ms an answer takes: /20; the kind's own where not given")
    parser.add_argument("--pause", type=float, help="seconds between an answer and the next request")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--asked", action="store_true", help="tell what was seen for each line of the "
                        "standard input, and end with it")
    chosen = parser.parse_args()
    kind = KINDS[chosen.kind]
    if chosen.path:
        kind = replace(kind, path=chosen.path)
    if chosen.pause is not None:
        kind = replace(kind, pause=chosen.pause)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    client = Client(chosen.host, chosen.port, kind, chosen.connections)
    if chosen.asked:
        client.run(sys.stdin.fileno(), float("inf"))
        print(json.dumps(client.seen()), flush=True)
        return
    client.run(None, chosen.seconds)
    result = Result(json.loads(json.dumps(client.seen())))
    print(result.summary())
    for pid, count in sorted(result.by_worker.items()):
        print(f"  {pid}: {count}, {result.workers[pid]}")
    sys.exit(1 if result.failed else 0)


if __name__ == "__main__":
    try:
        main()
    except (Failed, OSError) as failed:
        sys.exit(f"cluster_load.py: {failed}")
