"""Lines to a real VictoriaLogs: no gap; a repeat only where an answer was lost, told by its number."""
import stores
from harness import Home, check, run_tests, size
from shipping import (Scratch, check_numbered, faults, start_workers, wait_until_printed,
                      wait_until_shipped)

NAMES = ["web0", "web1", "web2", "web3"]
COUNT = size(5_000, 250_000)
RATE = size(2_000, 10_000)
PATIENCE = size(120, 1200)


def test_kills_of_daemon_and_restarts_of_the_store_lose_nothing():
    with Scratch() as data, stores.VictoriaLogs(data) as store, Home() as home:
        start_workers(home, store.ship_url, NAMES, COUNT, RATE)
        # A kill -9 of this store loses what it has acknowledged and not yet flushed: it is stopped.
        faults(home, store, kills=size(6, 20), restarts=2, seed=4, restart=lambda s: s.restart())
        wait_until_printed(home, NAMES, COUNT, PATIENCE)
        wait_until_shipped(home, len(NAMES) * COUNT, PATIENCE)
        store.flush()
        for name in NAMES:
            found = store.entries(f'{{app="{name}"}}')
            by_number = {}
            for entry in found:
                by_number.setdefault(int(entry["seq"]), set()).add(entry["_msg"])
            check(all(len(messages) == 1 for messages in by_number.values()),
                  "two different lines have one number")
            lines = [by_number[number].pop() for number in sorted(by_number)]
            check_numbered(lines, name, COUNT)


if __name__ == "__main__":
    run_tests()
