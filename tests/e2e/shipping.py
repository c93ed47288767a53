"""What the tests of shipping share: an app's numbered lines on their way to a store, faults in
between, and a check that the store has each line exactly once and in order."""
import contextlib
import os
import random
import signal
import socket
import tempfile
import threading
import time
from pathlib import Path

import stores
from harness import Failed, Home, check, text_of, wait_for

ROTATE = ["--rotate-max-size", "256K", "--rotate-retain", "0"]


class Scratch(tempfile.TemporaryDirectory):
    """A directory for a store's data that the store's own user may enter."""

    def __enter__(self) -> Path:
        path = Path(super().__enter__())
        path.chmod(0o755)
        return path


class Wire:
    """What is between pmx and a store: passes everything on, loses the answers ("deaf"), or hangs up
    on whoever comes ("cut")."""

    def __init__(self, store: stores.Store):
        self.store, self.mode, self.lost = store, "open", 0
        self.listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> "Wire":
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self.mode = "cut"
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    @property
    def ship_url(self) -> str:
        return self.store.ship_url.replace(f":{self.store.port}", f":{self.listener.getsockname()[1]}")

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client = self.listener.accept()[0]
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            if self.mode == "cut":
                return
            with socket.create_connection(("127.0.0.1", self.store.port)) as server:
                threading.Thread(target=self._pass_on, args=(client, server), daemon=True).start()
                while answer := server.recv(1 << 16):
                    if self.mode != "open":
                        self.lost += 1
                        break
                    client.sendall(answer)
                for end in (client, server):
                    end.shutdown(socket.SHUT_RDWR)

    def _pass_on(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while (request := client.recv(1 << 16)) and self.mode != "cut":
                server.sendall(request)
            server.shutdown(socket.SHUT_WR)


def sink(home: Home) -> dict:
    found = home.ship_status()
    check(len(found) == 1, f"one sink was expected, there are {found}")
    return found[0]


def wait_until_shipped(home: Home, lines: int, seconds: float) -> dict:
    """Until the store has answered for so many lines; then the accounting must add up."""
    def all_delivered():
        status = sink(home)
        return status if status["delivered_lines"] >= lines and status["waiting_lines"] == 0 else None
    try:
        status = wait_for(f"{lines} lines delivered", all_delivered, seconds)
    except Failed as failed:
        raise Failed(f"{failed}: {sink(home)}") from None
    check_accounting(status)
    check(status["delivered_lines"] == lines, f"{lines} lines were printed, delivered: {status}")
    return status


def check_accounting(status: dict) -> None:
    dropped = sum(status["dropped"].values())
    check(status["captured_lines"] == status["delivered_lines"] + status["waiting_lines"] + dropped,
          f"captured is not delivered + waiting + dropped: {status}")


def start_workers(home: Home, url: str, names: list[str], count: int, rate: float, *options) -> None:
    for name in names:
        home.start_numbered(name, "--no-autorestart", "--ship", url, *ROTATE, *options,
                            count=count, rate=rate)


def faults(home: Home, store: stores.Store, kills: int, restarts: int, seed: int,
           restart=lambda store: (store.kill(), store.start())) -> None:
    """The daemon killed at random moments, the store a few times between."""
    random_ = random.Random(seed)
    at = set(random_.sample(range(kills), restarts))
    for number in range(kills):
        time.sleep(random_.uniform(0.05, 0.6))
        os.kill(home.ping()["daemon_pid"], signal.SIGKILL)
        if number in at:
            restart(store)
        check_accounting(sink(home))


def wait_until_printed(home: Home, names: list[str], count: int, seconds: float) -> None:
    wait_for("all workers have printed their lines",
             lambda: all(home.count(name) == count for name in names), seconds)


def check_numbered(lines: list[str], name: str, count: int, repeats_allowed=False) -> None:
    if repeats_allowed:
        lines = [line for at, line in enumerate(lines) if at == 0 or line != lines[at - 1]]
    for at, line in enumerate(lines[:count]):
        check(line == text_of(name, at), f"{name}: {line[:80]!r} stands where line {at} should")
    check(len(lines) == count, f"{name}: {count} lines were printed, the store has {len(lines)}")
