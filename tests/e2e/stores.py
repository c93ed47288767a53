"""The real stores that lines are shipped to: Loki, VictoriaLogs, OpenSearch, Elasticsearch.

    with stores.Loki(directory) as loki:       # fetched or built at the first use, then cached
        ...                                    # loki.url, loki.ship_url
        loki.kill()                            # SIGKILL
        loki.start()                           # the same data, the same port
        loki.entries('{app="api"}')            # all of them, in order of time

As a program: `stores.py fetch [NAME...]`, `run NAME [--port N] [--data DIR]` (in the foreground),
`check NAME...` (two lines in, kill -9, the same two lines out). `./dev store` calls it.
A store listens on loopback only, on ports of its own, and ends with the thread that started it.
"""
import argparse
import base64
import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

from harness import Failed, check, wait_for
from store_cache import distribution, java_home

READY_SECONDS = 240  # A JVM beside a compiler on two cores takes a minute.
NOBODY = "65534"
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Refused(Failed):
    """The store answered, and not with success."""

    def __init__(self, status: int, what: str):
        super().__init__(what)
        self.status = status


@dataclass(frozen=True)
class Entry:
    """A line as Loki gives it back."""
    time_ns: int
    line: str
    labels: dict = field(hash=False)
    metadata: dict = field(hash=False)


def free_port() -> int:
    """One below the range that the kernel takes for outgoing connections: while a store is down,
    nobody else gets its port by chance."""
    for _ in range(100):
        port = random.randrange(20000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Failed("no free port in 100 tries")


def free_ports(count: int) -> list[int]:
    """No two of them the same."""
    ports: list[int] = []
    while len(ports) < count:
        ports += {free_port()} - set(ports)
    return ports


def merged(base: dict, over: dict) -> dict:
    """`base` with what `over` says instead, section by section."""
    both = base | over
    for key in base.keys() & over.keys():
        if isinstance(base[key], dict) and isinstance(over[key], dict):
            both[key] = merged(base[key], over[key])
    return both


class Store:
    """One store with its data in `directory`. `settings` is in the store's own words and wins over
    what is set here: a nested dict for Loki, "a.b.c" keys for the Java stores, flags for VictoriaLogs."""
    name = ""
    ready_path = "/"
    user = password = ""

    def __init__(self, directory: str | Path, port: int = 0, settings: dict | None = None):
        self.directory = Path(directory).resolve()
        self.directory.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.inner_port = free_port()  # What the parts of a store say to each other.
        self.settings = settings or {}
        self.process: subprocess.Popen | None = None

    def __enter__(self) -> "Store":
        self.start()
        return self

    def __exit__(self, kind, *_) -> None:
        if kind and issubclass(kind, Exception):
            print(f"---- {self.name}, the end of its log\n{self.log_tail()}")
        self.kill()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def ship_url(self) -> str:
        login = f"{self.user}:{self.password}@" if self.user else ""
        return f"{self.name}+http://{login}127.0.0.1:{self.port}"

    # Its life.

    def command(self) -> list[str]:
        """Writes what the store reads when it starts, and returns how it is started."""
        raise NotImplementedError

    def environment(self) -> dict:
        return dict(os.environ)

    def start(self, wait: bool = True) -> None:
        """Starts it on its data and port, which must be free, and waits until it takes lines."""
        check(self.process is None, f"{self.name} runs already")
        check(not self.listens(), f"port {self.port} is taken")
        with (self.directory / "store.log").open("ab") as log:
            # A group of its own, so that a signal reaches a launcher and what it launched.
            self.process = subprocess.Popen(self.command(), env=self.environment(), stdout=log, stderr=log,
                                            stdin=subprocess.DEVNULL, cwd=self.directory,
                                            start_new_session=True)
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        try:
            wait_for(f"{self.name} is ready", self.is_ready, READY_SECONDS)
        except Failed as failed:
            self.kill()
            raise Failed(f"{failed}\n{self.log_tail()}") from None

    def is_ready(self) -> bool:
        check(self.process and self.process.poll() is None, f"{self.name} has ended")
        with contextlib.suppress(OSError, http.client.HTTPException, Refused):
            self.request(self.ready_path, timeout=5)
            return True
        return False

    def listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False

    def signal(self, number: int) -> None:
        check(self.process, f"{self.name} does not run")
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """kill -9, as a machine without memory does it. What was not on disk is lost."""
        self._end(signal.SIGKILL, 30)

    def stop(self) -> None:
        """As the system stops a service: what it has taken is on disk afterwards."""
        self._end(signal.SIGTERM, 60)

    def restart(self) -> None:
        self.stop()
        self.start()

    def _end(self, number: int, seconds: float) -> None:
        if not self.process:
            return
        self.signal(number)
        try:
            self.process.wait(seconds)
            wait_for(f"{self.name} leaves its port", lambda: not self.listens(), seconds)
        finally:
            self.signal(signal.SIGKILL)
            self.process.wait()
            self.process = None

    def log_tail(self, lines: int = 30) -> str:
        path = self.directory / "store.log"
        return "\n".join(path.read_text(errors="replace").splitlines()[-lines:]) if path.exists() else ""

    # Talking to it.

    def request(self, path: str, body=None, query: dict | None = None, headers: dict | None = None,
                method: str | None = None, timeout: float = 120) -> bytes:
        """One request past any proxy. `body` is bytes, or something to be sent as JSON."""
        address = f"{self.url}{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        all_headers = {"Content-Type": "application/json"} | (headers or {})
        if self.user:
            login = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
            all_headers.setdefault("Authorization", f"Basic {login}")
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(address, data, all_headers, method=method)
        try:
            with DIRECT.open(request, timeout=timeout) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            words = error.read().decode(errors="replace")
            raise Refused(error.code, f"{self.name} {path}: {error.code} {words[:2000]}") from None

    # For the check of this script: the same three for each store.

    def push(self, lines: list[str]) -> None:
        """Lines of the app `check`, in the store's simplest form."""
        raise NotImplementedError

    def pushed(self) -> list[str]:
        """What push() has sent, in order."""
        raise NotImplementedError

    def flush(self) -> None:
        """Makes what was taken survive kill -9, where the store does not do that before it answers."""


class Loki(Store):
    """Loki's own defaults, except for what lets it run alone and be asked about everything."""
    name = "loki"
    ready_path = "/ready"

    def config(self) -> dict:
        data, host = str(self.directory), "127.0.0.1"
        return merged({
            "auth_enabled": False,
            "analytics": {"reporting_enabled": False},
            "server": {"http_listen_address": host, "http_listen_port": self.port,
                       "grpc_listen_address": host, "grpc_listen_port": self.inner_port,
                       "log_level": "warn",
                       # An ingester that may not send what it found (4 MiB) has found nothing, says a query
                       # with labels apart from metadata: 200, and empty.
                       "grpc_server_max_send_msg_size": 256 << 20},
            "common": {"path_prefix": data, "replication_factor": 1, "instance_addr": host,
                       "ring": {"instance_addr": host, "kvstore": {"store": "inmemory"}},
                       "storage": {"filesystem": {"chunks_directory": f"{data}/chunks",
                                                  "rules_directory": f"{data}/rules"}}},
            "memberlist": {"bind_addr": [host]},
            "schema_config": {"configs": [{"from": "2020-01-01", "store": "tsdb", "object_store": "filesystem",
                                           "schema": "v13", "index": {"prefix": "index_", "period": "24h"}}]},
            # Ready at once, and everything that was answered is in the log that is read at the next start.
            "ingester": {"lifecycler": {"min_ready_duration": "0s"},
                         "wal": {"enabled": True, "dir": f"{data}/wal"}},
            # Without a scheduler, whose ring is looked at every ten seconds only.
            "frontend_worker": {"frontend_address": f"{host}:{self.inner_port}"},
            "query_range": {"max_retries": 1},  # Five take 17 s to say that an answer is above 4 MiB.
            # Late lines lie in the ingester too: asked for any time, not for the last three hours only.
            "querier": {"query_ingesters_within": "0s"},
            "limits_config": {"max_query_length": "0s", "split_queries_by_interval": "24h"},
        }, self.settings)

    def command(self) -> list[str]:
        program = distribution("loki") / "loki"
        path = self.directory / "loki.json"
        path.write_text(json.dumps(self.config(), indent=1))  # JSON is YAML.
        return ["setpriv", "--pdeathsig", "KILL", str(program), f"-config.file={path}"]

    def entries(self, query: str, start_ns: int | None = None, end_ns: int | None = None,
                page: int = 5000) -> list[Entry]:
        """All lines that the query selects in [start, end) (the last 7 days), ordered by time.

        Loki gives at most `page` lines a request. The next page begins at the last time of this one,
        and this one's lines of that time are left to it: so a line that is there twice is seen twice."""
        now = time.time_ns()
        start = now - 7 * 86400 * 10**9 if start_ns is None else start_ns
        end = now + 3600 * 10**9 if end_ns is None else end_ns
        found: list[Entry] = []
        while True:
            try:
                got = self._page(query, start, end, page)
            except Refused as refused:  # Above 4 MiB.
                if page == 1 or "ResourceExhausted" not in str(refused):
                    raise
                page //= 2
                continue
            if len(got) < page:
                return found + got
            start = got[-1].time_ns
            kept = [entry for entry in got if entry.time_ns < start]
            check(kept, f"{page} lines or more at {start} ns: they do not fit into a page")
            found += kept

    def _page(self, query: str, start: int, end: int, limit: int) -> list[Entry]:
        answer = json.loads(self.request("/loki/api/v1/query_range", query={
            "query": query, "start": start, "end": end, "limit": limit, "direction": "forward",
        }, headers={"X-Loki-Response-Encoding-Flags": "categorize-labels"}))  # Labels apart from metadata.
        found = [Entry(int(value[0]), value[1], stream["stream"],
                       value[2].get("structuredMetadata", {}) if len(value) > 2 else {})
                 for stream in answer["data"]["result"] for value in stream["values"]]
        return sorted(found, key=lambda entry: entry.time_ns)

    def metric(self, name: str) -> float:
        """The sum over all its labels."""
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.request("/metrics").decode().splitlines()
                   if line.split("{")[0].split(" ")[0] == name)

    def push(self, lines: list[str]) -> None:
        now = time.time_ns()
        values = [[str(now + at), line, {"n": str(at)}] for at, line in enumerate(lines)]
        self.request("/loki/api/v1/push", {"streams": [{"stream": {"app": "check"}, "values": values}]})

    def pushed(self) -> list[str]:
        found = self.entries('{app="check"}', page=2)  # Small, so that pages are turned.
        for at, entry in enumerate(found):
            check(entry.labels["app"] == "check" and entry.metadata["n"] == str(at), f"{entry}")
        return [entry.line for entry in found]


class VictoriaLogs(Store):
    """Lines that it has taken are on disk up to 5 s later (-inmemoryDataFlushInterval) or after stop():
    kill() loses what came since, whatever the shipper does."""
    name = "victorialogs"
    ready_path = "/health"

    def command(self) -> list[str]:
        flags = {"storageDataPath": self.directory / "data", "httpListenAddr": f"127.0.0.1:{self.port}",
                 "retentionPeriod": "1y", "loggerLevel": "WARN"} | self.settings
        return ["setpriv", "--pdeathsig", "KILL", str(distribution("victorialogs") / "victoria-logs"),
                *(f"-{key}={value}" for key, value in flags.items())]

    def entries(self, query: str = "*") -> list[dict]:
        """All lines of the query with their fields, in order of time and as given within a time."""
        self.request("/internal/force_flush")  # What came in the last second is else not found yet.
        answer = self.request("/select/logsql/query", query={"query": query})
        return sorted(map(json.loads, answer.splitlines()), key=lambda entry: entry["_time"])

    def push(self, lines: list[str]) -> None:
        now = time.time_ns()
        records = [{"_time": str(now + at), "_msg": line, "app": "check"} for at, line in enumerate(lines)]
        self.request("/insert/jsonline", "\n".join(map(json.dumps, records)).encode(),
                     {"_stream_fields": "app"})

    def pushed(self) -> list[str]:
        return [entry["_msg"] for entry in self.entries('{app="check"}')]

    def flush(self) -> None:
        self.restart()


class JavaStore(Store):
    """What OpenSearch and Elasticsearch share: they began as one program."""
    variable = ""  # How the names of its environment variables begin.
    ready_path = "/_cluster/health?wait_for_status=yellow&timeout=2s"  # 408 until the data is there.

    @property
    def ship_url(self) -> str:
        return f"{super().ship_url}/logs-app-default"

    def defaults(self) -> dict:
        return {
            "discovery.type": "single-node",
            "http.host": "127.0.0.1", "http.port": self.port,
            "transport.host": "127.0.0.1", "transport.port": self.inner_port,
            "path.data": str(self.directory / "data"), "path.logs": str(self.directory / "logs"),
            "node.store.allow_mmap": False,  # Else vm.max_map_count must be raised.
            # Else a developer's disk that is nine tenths full takes no index.
            "cluster.routing.allocation.disk.threshold_enabled": False,
        }

    def environment(self) -> dict:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("ES_", "OPENSEARCH_"))}
        return kept | {f"{self.variable}_JAVA_HOME": java_home(),
                       f"{self.variable}_PATH_CONF": str(self.directory / "config"),
                       f"{self.variable}_TMPDIR": str(self.directory / "tmp"),
                       f"{self.variable}_JAVA_OPTS": "-Xms512m -Xmx512m"}

    def command(self) -> list[str]:
        home, config = distribution(self.name), self.directory / "config"
        if not config.exists():
            for name in ("data", "logs", "tmp"):
                (self.directory / name).mkdir(exist_ok=True)
            shutil.copytree(home / "config", config)
            options = (config / "jvm.options").read_text().splitlines()
            # Logs and dumps that go beside the program, which is shared and not to be written to.
            kept = [line for line in options if not any(
                word in line for word in ("logs/", "HeapDumpPath=data", "HeapDumpOnOutOfMemoryError"))]
            (config / "jvm.options").write_text("\n".join(kept) + "\n")
            self.prepare(home)
        settings = self.defaults() | self.settings
        (config / f"{self.name}.yml").write_text(
            "".join(f"{key}: {json.dumps(value)}\n" for key, value in settings.items()))
        return self.as_nobody() + [str(home / "bin" / self.name)]

    def prepare(self, home: Path) -> None:
        """Once, before the first start."""

    def as_nobody(self) -> list[str]:
        """These stores refuse to run as root. As nobody they could neither read root's cache nor reach
        a test's directory (both 0700), so the one capability that this takes goes with them; and
        access(2), which Java asks with, heeds capabilities only without the uid fixup (capabilities(7))."""
        end = ["setpriv", "--pdeathsig", "KILL"]
        if os.geteuid() != 0:
            return end
        return [*end, "--reuid", NOBODY, "--regid", NOBODY, "--clear-groups",
                "--inh-caps=-all,+dac_override", "--ambient-caps=-all,+dac_override",
                "--securebits=+no_setuid_fixup"]

    def count(self, index: str, query: dict | None = None) -> int:
        self.request(f"/{index}/_refresh", b"")
        return json.loads(self.request(f"/{index}/_count", {"query": query or {"match_all": {}}}))["count"]

    def documents(self, index: str, query: dict | None = None, page: int = 10000) -> list[dict]:
        """All hits (`_index`, `_id`, `_source`) of the query in an index, pattern or data stream, in no
        order that means anything."""
        self.request(f"/{index}/_refresh", b"")
        answer = json.loads(self.request(f"/{index}/_search", {
            "query": query or {"match_all": {}}, "size": page, "sort": ["_doc"]}, {"scroll": "2m"}))
        found: list[dict] = []
        while answer["hits"]["hits"]:
            found += answer["hits"]["hits"]
            answer = json.loads(self.request("/_search/scroll", {
                "scroll": "2m", "scroll_id": answer["_scroll_id"]}))
        # A node keeps 500 open scrolls; each keeps deleted segments.
        self.request("/_search/scroll", {"scroll_id": answer["_scroll_id"]}, method="DELETE")
        return found

    def push(self, lines: list[str]) -> None:
        actions = [row for at, line in enumerate(lines)
                   for row in ({"create": {"_id": str(at)}}, {"message": line, "n": at})]
        answer = json.loads(self.request("/check/_bulk", "".join(json.dumps(row) + "\n" for row in actions).encode(),
                                         headers={"Content-Type": "application/x-ndjson"}))
        check(not answer["errors"], f"{answer}")

    def pushed(self) -> list[str]:
        found = [hit["_source"] for hit in self.documents("check", page=1)]  # Small, so that pages are turned.
        check(self.count("check") == len(found), "_count and the documents differ")
        return [source["message"] for source in sorted(found, key=lambda source: source["n"])]


class OpenSearch(JavaStore):
    name = "opensearch"
    variable = "OPENSEARCH"


class Elasticsearch(JavaStore):
    """With security on: without credentials it answers 401. Its distribution has no data streams."""
    name = "elasticsearch"
    variable = "ES"
    user = "elastic"
    password = "pmx-tests-only"

    def defaults(self) -> dict:
        return super().defaults() | {
            "xpack.security.enabled": True,
            # Said, so that it does not make certificates of its own at the first start.
            "xpack.security.http.ssl.enabled": False, "xpack.security.transport.ssl.enabled": False,
        }

    def prepare(self, home: Path) -> None:
        done = subprocess.run(
            [*self.as_nobody(), str(home / "bin/elasticsearch-keystore"), "add", "-x", "-f", "bootstrap.password"],
            input=self.password, text=True, env=self.environment(), capture_output=True, cwd=self.directory)
        check(done.returncode == 0, f"elasticsearch-keystore: {done.stdout}{done.stderr}")

    def pushed(self) -> list[str]:
        try:
            self.request("/", headers={"Authorization": "Basic bm9ib2R5Om5vYm9keQ=="})  # nobody:nobody
        except Refused as refused:
            check(refused.status == 401, f"{refused}")
        else:
            raise Failed("elasticsearch lets anybody in")
        return super().pushed()


STORES = {store.name: store for store in (Loki, VictoriaLogs, OpenSearch, Elasticsearch)}


def check_store(name: str) -> None:
    """Two lines go in, the store is killed, and the same two lines come out."""
    begin = time.monotonic()
    lines = ["first", "second: \"quoted\", \u00fc, \u2713"]
    with tempfile.TemporaryDirectory(prefix=f"pmx-{name}-") as directory, STORES[name](directory) as store:
        up = time.monotonic() - begin
        store.push(lines)
        found = store.pushed()
        check(found == lines, f"{name} gave {found} for {lines}")
        store.flush()
        store.kill()
        check(not store.listens(), f"{name} is still there after kill -9")
        store.start()
        found = store.pushed()
        check(found == lines, f"{name} gave {found} for {lines} after kill -9 and a restart")
    print(f"ok    {name}: {store.url}, up after {up:.1f} s, all in {time.monotonic() - begin:.1f} s", flush=True)


def run_store(name: str, port: int, data: str | None) -> None:
    """In the foreground, until Ctrl-C or SIGTERM."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with contextlib.ExitStack() as stack:
        directory = data or stack.enter_context(tempfile.TemporaryDirectory(prefix=f"pmx-{name}-"))
        distribution(name)
        print(f"starting {name}, its data and store.log in {directory} …", flush=True)
        store = stack.enter_context(STORES[name](directory, port))
        login = f" (user {store.user}, password {store.password})" if store.user else ""
        try:
            print(f"{name} is ready\n  URL   {store.url}{login}\n"
                  f"  ship  pmx start app.js --ship {store.ship_url}\nCtrl-C ends it.", flush=True)
            store.process.wait()
        except KeyboardInterrupt:
            if data:
                store.stop()
            return
        raise Failed(f"{name} has ended by itself")


def main() -> None:
    parser = argparse.ArgumentParser(prog="stores.py", description="Real stores for the tests of pmx.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command, what in (("fetch", "download or build into the cache"), ("check", "two lines in, kill -9, two out")):
        names = commands.add_parser(command, help=what)
        names.add_argument("names", nargs="*", choices=[*STORES, []], metavar="|".join(STORES))
    run = commands.add_parser("run", help="start one in the foreground")
    run.add_argument("name", choices=STORES)
    run.add_argument("--port", type=int, default=0, help="a free one where not given")
    run.add_argument("--data", help="kept afterwards; a temporary directory where not given")
    chosen = parser.parse_args()
    try:
        if chosen.command == "run":
            return run_store(chosen.name, chosen.port, chosen.data)
        for name in chosen.names or STORES:
            print(distribution(name)) if chosen.command == "fetch" else check_store(name)
    except KeyboardInterrupt:
        sys.exit(130)
    except Failed as failed:
        sys.exit(f"stores.py: {failed}")


if __name__ == "__main__":
    main()
