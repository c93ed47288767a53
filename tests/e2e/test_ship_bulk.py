"""Lines to a real OpenSearch and, at full size, to an Elasticsearch with security on."""
import stores
from harness import FULL, Home, check, run_tests, size
from shipping import (Scratch, check_numbered, faults, sink, start_workers, wait_until_printed,
                      wait_until_shipped)

NAMES = ["web0", "web1", "web2", "web3"]
COUNT = size(2_500, 250_000)
RATE = size(1_000, 8_000)
PATIENCE = size(240, 1800)


def check_bulk(store: stores.JavaStore) -> None:
    index = "logs-app-default"
    check(store.count(index) == len(NAMES) * COUNT,
          f"{len(NAMES) * COUNT} lines were printed, the store has {store.count(index)} documents")
    for name in NAMES:
        found = [hit["_source"]
                 for hit in store.documents(index, {"match_phrase": {"service.name": name}})]
        found = [d for d in found if d["service"]["name"] == name]
        found.sort(key=lambda d: d["event"]["sequence"])
        check_numbered([d["message"] for d in found], name, COUNT)
        check(found[0]["stream"] == "stdout" and found[0]["host"]["name"], f"fields: {found[0]}")


def with_faults(store: stores.JavaStore, home: Home) -> None:
    start_workers(home, store.ship_url, NAMES, COUNT, RATE)
    faults(home, store, kills=size(4, 20), restarts=size(1, 2), seed=3)
    wait_until_printed(home, NAMES, COUNT, PATIENCE)
    wait_until_shipped(home, len(NAMES) * COUNT, PATIENCE)
    check_bulk(store)


def test_opensearch_has_each_line_once_whatever_dies():
    with Scratch() as data, stores.OpenSearch(data) as store, Home() as home:
        with_faults(store, home)


def elasticsearch_has_each_line_once_whatever_dies():
    with Scratch() as data, stores.Elasticsearch(data) as store, Home() as home:
        with_faults(store, home)


def wrong_password_is_held_and_said():
    with Scratch() as data, stores.Elasticsearch(data) as store, Home() as home:
        wrong = store.ship_url.replace(store.password, "wrong")
        start_workers(home, wrong, ["web"], 10, 1000)
        home.wait_for_state("blocked")
        check("401" in sink(home)["state_text"], f"{sink(home)}")
        check(sink(home)["waiting_lines"] == 10, f"{sink(home)}")
        check("wrong" not in home.run("jlist").stdout, "the secret is in jlist")


if FULL:  # Half a minute of start each: OpenSearch speaks for both in CI.
    test_elasticsearch_has_each_line_once_whatever_dies = elasticsearch_has_each_line_once_whatever_dies
    test_wrong_password_is_held_and_said = wrong_password_is_held_and_said

if __name__ == "__main__":
    run_tests()
