"""The load client of the cluster tests: it sees what goes wrong, calls it by its name, and blames nobody else."""
import contextlib
import json
import socket
import struct
import threading
import time

from cluster_load import HUNG_SECONDS, Load, Result
from harness import check, run_tests, wait_for

BODY = json.dumps({"pid": 77, "instance": "0", "version": "1"}).encode()


def answer(body: bytes = BODY, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Server:
    """Serves connection after connection as `serve(socket, number)` does, each in a thread."""

    def __init__(self, serve, backlog: int = 128):
        self.serve, self.served = serve, 0
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=backlog)
        self.port = self.listener.getsockname()[1]

    def __enter__(self) -> "Server":
        threading.Thread(target=self.accept, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.served += 1
                threading.Thread(target=self.one, args=(connection, self.served - 1), daemon=True).start()

    def one(self, connection: socket.socket, number: int) -> None:
        with connection, contextlib.suppress(OSError):
            self.serve(connection, number)


def read_request(connection: socket.socket) -> bool:
    data = b""
    while not data.endswith(b"\r\n\r\n"):
        piece = connection.recv(4096)
        if not piece:
            return False
        data += piece
    return True


def always(connection: socket.socket, _=0) -> None:
    while read_request(connection):
        connection.sendall(answer())


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def under_load(serve, kind: str = "keep", connections: int = 4, least: int = 20, **more) -> Result:
    with Server(serve, **more) as server, Load(server.port, kind, connections) as load:
        wait_for(f"{least} answers or failures", lambda: (now := load.now()).answered + now.failed >= least)
        return load.result()


def kinds(result: Result) -> set[str]:
    return {failure.kind for failure in result.failures}


def test_a_server_that_answers_fails_nobody():
    for kind in ("close", "keep", "pauses"):
        result = under_load(always, kind, least=200)
        result.check_none_failed(200)
        check(result.by_worker == {77: result.answered}, f"{result.by_worker}")
        check(result.workers[77]["instance"] == "0" and result.versions == {"1"}, f"{result.workers}")
        whole = result.between(result.begun - 1, result.ended + 1)
        check(whole == {77: result.answered}, f"between begin and end: {whole}")
        check(result.between(result.ended + 1, result.ended + 2) == {}, "answers after the end")


def test_a_connection_is_kept_alive_or_not():
    with Server(always) as server, Load(server.port, "keep", 4) as load:
        load.wait_for_answers(100)
        wait_for("an answer on each connection", lambda: load.now().connections == {77: 4})
        load.wait_for_answers(100)
    check(server.served == 4, f"{server.served} connections for 4 that are kept alive")
    with Server(always) as server, Load(server.port, "close", 4) as load:
        result = load.wait_for_answers(100)
        check(server.served >= result.answered, f"{server.served} connections for {result.answered} requests")


def test_connection_close_is_heeded():
    def twice(connection, _):
        for more in ("", "Connection: close\r\n"):
            read_request(connection)
            connection.sendall(answer(more=more))
        time.sleep(0.2)  # A request that came now would find no answer.

    under_load(twice, least=100).check_none_failed(100)


def test_what_is_closed_between_two_requests_is_opened_anew():
    def once(connection, _):
        read_request(connection)
        # Corked: the end comes with the answer, however late this thread has its next turn (tcp(7)).
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        connection.sendall(answer())
        connection.shutdown(socket.SHUT_WR)

    under_load(once, "pauses").check_none_failed(20)


def test_a_request_that_is_sent_and_not_answered_has_failed():
    def swallow(connection, number):
        always(connection) if number % 2 else read_request(connection)

    result = under_load(swallow, "close")
    check(kinds(result) == {"reset"} and result.answered, result.summary())

    def break_off(connection, _):
        read_request(connection)
        connection.sendall(answer())
        read_request(connection)
        reset(connection)

    result = under_load(break_off)
    check(kinds(result) == {"reset"}, result.summary())
    check(all(failure.worker == 77 for failure in result.failures), "who had answered before is not known")


def test_half_an_answer_is_cut():
    for half in (answer()[:-5], answer()[:20]):
        for end in (reset, socket.socket.close):
            def cut(connection, _):
                read_request(connection)
                connection.sendall(half)
                time.sleep(0.05)
                end(connection)

            result = under_load(cut)
            check(kinds(result) == {"cut"} and not result.answered, result.summary())


def test_a_closed_port_refuses():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with Load(port, "close", 4) as load:
        wait_for("failures", lambda: load.now().failed > 20)
        check(kinds(load.now()) == {"refused"}, load.now().summary())


def test_silence_is_hung_whether_it_accepts_or_not():
    release = threading.Event()

    def silent(connection, _):
        release.wait(60)

    begin = time.monotonic()
    result = under_load(silent, connections=4, least=4)
    check(kinds(result) == {"hung"}, result.summary())
    check(time.monotonic() - begin >= HUNG_SECONDS, "said too early")
    release.set()
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        # One fits the queue: the others are neither accepted nor refused.
        with Load(listener.getsockname()[1], "keep", 6) as load:
            wait_for("failures", lambda: load.now().failed >= 6)
            seen = load.now()
            check(kinds(seen) == {"hung"}, seen.summary())
            check({failure.detail for failure in seen.failures} >= {"while connecting"}, seen.summary())


def test_answers_that_are_wrong_or_late_are_said():
    for wrong in (answer(status="500 Oh"), answer(b"<html>"), answer(BODY, more="X: y\r\n") + b"and more"):
        def other(connection, _):
            while read_request(connection):
                connection.sendall(wrong)

        result = under_load(other)
        check(kinds(result) == {"wrong"} and not result.answered, result.summary())

    def late(connection, _):
        read_request(connection)
        time.sleep(1.2)
        connection.sendall(answer())

    result = under_load(late, "close", least=4)
    check(result.slow and all(took > 1.2 and pid == 77 for _, took, pid in result.slow), f"{result.slow}")


def test_the_end_waits_for_what_was_asked():
    def slow(connection, _):
        while read_request(connection):
            time.sleep(0.4)
            connection.sendall(answer())

    with Server(slow) as server, Load(server.port, "keep", 8) as load:
        wait_for("requests on their way", lambda: len(load.now().waiting) == 8)
        result = load.result()
        check(result.answered >= 8 and not result.failed and not result.waiting, result.summary())


def test_a_result_says_who_answered_when():
    def two(connection, number):
        body = json.dumps({"pid": 100 + number % 2, "instance": str(number % 2), "version": "v"}).encode()
        while read_request(connection):
            connection.sendall(answer(body))

    with Server(two) as server, Load(server.port, "pauses", 4) as load:
        wait_for("an answer on each connection", lambda: load.now().connections == {100: 2, 101: 2})
        result = load.result()
    check(set(result.workers) == {100, 101} and result.workers[101]["instance"] == "1", f"{result.workers}")


if __name__ == "__main__":
    run_tests()
