"""Lines to a real Loki, once and in order, whatever happens."""
import time

import stores
from harness import Home, check, run_tests, size, text_of, wait_for
from shipping import (Scratch, Wire, check_numbered, faults, sink, start_workers, wait_until_printed,
                      wait_until_shipped)

NAMES = ["web0", "web1", "web2", "web3"]
COUNT = size(5_000, 250_000)
RATE = size(2_000, 10_000)
PATIENCE = size(120, 1200)


def write_chunks(loki: stores.Loki) -> None:
    """What Loki has in memory goes to its store, where a block that came twice is dropped: until then a
    batch whose answer was lost may show twice, if a block of it had been cut in between. While it is on
    its way a query may find it in neither place."""
    def all_is_written() -> bool:
        # What an earlier call has written leaves the memory with the next one.
        loki.request("/flush", b"")
        time.sleep(0.5)
        return loki.metric("loki_ingester_memory_chunks") == 0
    wait_for("all that Loki has is in its store", all_is_written, 60)


def check_loki(loki: stores.Loki, names: list[str], count: int, stream="stdout") -> None:
    write_chunks(loki)
    for name in names:
        entries = loki.entries(f'{{app="{name}", stream="{stream}"}}')
        for one, next_one in zip(entries, entries[1:]):
            check(one.line != next_one.line, f"twice: {one}, {next_one}")
        check_numbered([entry.line for entry in entries], name, count)
        times = [entry.time_ns for entry in entries]
        check(times == sorted(set(times)), f"{name}: times are not strictly increasing")
        for entry in entries[:3]:
            check(entry.labels.get("app") == name and entry.labels.get("host"), f"labels: {entry}")
            check(entry.metadata.get("detected_level") == "info", f"metadata: {entry}")
        check(abs(entries[-1].time_ns / 1e9 - time.time()) < PATIENCE * 2, "times are not of the capture")


def test_kills_of_daemon_and_store_lose_and_repeat_nothing():
    with Scratch() as data, stores.Loki(data) as loki, Home() as home:
        start_workers(home, loki.ship_url, NAMES, COUNT, RATE)
        faults(home, loki, kills=size(6, 20), restarts=2, seed=1)
        wait_until_printed(home, NAMES, COUNT, PATIENCE)
        wait_until_shipped(home, len(NAMES) * COUNT, PATIENCE)
        check_loki(loki, NAMES, COUNT)


def test_what_a_store_had_before_it_was_killed_its_next_start_does_not_store_twice():
    """What it reads from its WAL counts as a rate: for some seconds it divides streams as it likes."""
    settings = {"limits_config": {"shard_streams": {"desired_rate": "512KB"}}}
    with Scratch() as data, stores.Loki(data, settings=settings) as loki, Wire(loki) as wire, Home() as home:
        count = size(8_000, 40_000)
        start_workers(home, wire.ship_url, ["web"], count, 600)
        wait_for("most of it is in Loki", lambda: sink(home)["delivered_lines"] > count / 2, PATIENCE)
        wire.mode = "deaf"
        wait_for("an answer is lost", lambda: wire.lost > 0)
        loki.kill()
        wire.mode = "cut"
        loki.start()
        time.sleep(2)  # By now it has counted.
        wire.mode = "open"
        home.run("ship", "resume", sink(home)["name"])  # It tries again just now.
        wait_until_shipped(home, count, PATIENCE)
        check(loki.metric("loki_rate_store_max_stream_shards") >= 1, "a metric of Loki has another name")
        check_loki(loki, ["web"], count)


def test_a_store_that_is_down_is_waited_for_and_gets_the_oldest_first():
    with Scratch() as data, stores.Loki(data) as loki, Home() as home:
        loki.kill()
        start_workers(home, loki.ship_url, ["web"], 2000, 5000)
        wait_until_printed(home, ["web"], 2000, 60)
        home.wait_for_ship(lambda s: s["state"] == "retrying" and s["waiting_lines"] == 2000)
        loki.start()
        wait_until_shipped(home, 2000, PATIENCE)
        check(sink(home)["state"] == "ok", f"state: {sink(home)}")
        check_loki(loki, ["web"], 2000)


def test_eight_instances_are_one_stream_and_none_is_too_far_behind():
    """The store is down for longer than it takes late lines: merged by time, none is late."""
    window = size(2, 30)
    settings = {"ingester": {"max_chunk_age": f"{window}s"}}
    with Scratch() as data, stores.Loki(data, settings=settings) as loki, Home() as home:
        count = 600
        home.start_numbered("web", "--no-autorestart", "--ship", loki.ship_url, "-i", 8,
                            label="web%", count=count, rate=count / (3 * window))
        time.sleep(window / 2)
        loki.kill()
        time.sleep(3 * window)
        loki.start()
        wait_until_printed(home, [f"web{i}" for i in range(8)], count, PATIENCE)
        status = wait_until_shipped(home, 8 * count, PATIENCE)
        check(status["dead_letters"] == 0, f"lines were refused: {status}")
        lines = [entry.line for entry in loki.entries('{app="web"}')]
        for i in range(8):
            check_numbered([l for l in lines if l.startswith(f"web{i}:")], f"web{i}", count)


def test_a_busy_stream_is_split_by_pmx_and_stays_whole():
    """5 MB/s with Loki's own sharding on: its repeats would not be dropped, so pmx splits before."""
    count = size(40_000, 400_000)
    settings = {"limits_config": {"shard_streams": {"enabled": True}, "ingestion_rate_mb": 100,
                                  "ingestion_burst_size_mb": 200}}
    with Scratch() as data, stores.Loki(data, settings=settings) as loki, Home() as home:
        home.start_numbered("busy", "--no-autorestart", "--ship", loki.ship_url, how="chunks",
                            count=count, rate=23_000)
        faults(home, loki, kills=size(3, 12), restarts=1, seed=2)
        wait_until_printed(home, ["busy"], count, PATIENCE)
        wait_until_shipped(home, count, PATIENCE)
        write_chunks(loki)
        entries = sorted(loki.entries('{app="busy"}'), key=lambda entry: entry.time_ns)
        check_numbered([entry.line for entry in entries], "busy", count)


def test_refused_lines_are_dead_letters_and_can_be_sent_again():
    settings = {"limits_config": {"max_line_size": 300}}
    with Scratch() as data, stores.Loki(data, settings=settings) as loki, Home() as home:
        start_workers(home, loki.ship_url, ["web"], 500, 5000)
        wait_until_printed(home, ["web"], 500, 60)
        long_lines = sum(len(text_of("web", n)) > 300 for n in range(500))
        home.wait_for_ship(lambda s: s["waiting_lines"] == 0 and s["captured_lines"] == 500)
        status = sink(home)
        check(status["dropped"].get("refused") == long_lines, f"{long_lines} are too long: {status}")
        check(status["delivered_lines"] == 500 - long_lines, f"{status}")
        loki.kill()
        loki.settings["limits_config"]["max_line_size"] = 262144
        loki.start()
        home.run("ship", "retry", status["name"])
        home.wait_for_ship(lambda s: s["delivered_lines"] == 500 and s["dead_letters"] == 0)
        check_numbered([e.line for e in loki.entries('{app="web"}')], "web", 500)


if __name__ == "__main__":
    run_tests()
