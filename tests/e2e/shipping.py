"""What the tests of shipping share: an app's numbered lines on their way to a store, faults in
between, and a check that the store has each line exactly once and in order."""
import os
import random
import signal
import tempfile
import time
from pathlib import Path

import stores
from harness import Home, check, text_of, wait_for

ROTATE = ["--rotate-max-size", "256K", "--rotate-retain", "0"]


class Scratch(tempfile.TemporaryDirectory):
    """A directory for a store's data that the store's own user may enter."""

    def __enter__(self) -> Path:
        path = Path(super().__enter__())
        path.chmod(0o755)
        return path


def sink(home: Home) -> dict:
    found = home.ship_status()
    check(len(found) == 1, f"one sink was expected, there are {found}")
    return found[0]


def wait_until_shipped(home: Home, lines: int, seconds: float) -> dict:
    """Until the store has answered for so many lines; then the accounting must add up."""
    def all_delivered():
        status = sink(home)
        return status if status["delivered_lines"] >= lines and status["waiting_lines"] == 0 else None
    status = wait_for(f"{lines} lines delivered", all_delivered, seconds)
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
