"""What the bench ships with and to: a store that only reads, and vlagent, which tails what `cat` writes."""
import contextlib
import gzip
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Iterator, NamedTuple

from programs import TICKS, Pmx, Run, cpu_seconds, wait_until
from table import LINE_BYTES

sys.path.append(str(Path(__file__).resolve().parents[1] / "e2e"))
import store_cache  # noqa: E402  (it lies beside the tests that share it)
from stores import free_port  # noqa: E402

BATCH_LINES = 20_000  # Most that a batch of pmx has.


class Shipment(NamedTuple):
    """`run` is until the last line was delivered. The lines of `rate` are all but the last batch,
    which waits for its second to be up."""
    run: Run
    lines: int
    rate: float
    writer_cpu_seconds: float = 0  # Of the cat before vlagent.

    def us_a_line(self) -> float:
        return self.run.cpu_seconds / self.lines * 1e6


class Sink:
    """bench_sink, from `with` to its end. `counts` are there afterwards."""

    def __init__(self, program: str, port: int | None = None, keep: Path | None = None):
        self.port = port or free_port()
        self.command = [program, str(self.port), *(["--keep", str(keep)] if keep else [])]
        self.counts: dict = {}

    def __enter__(self) -> "Sink":
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE)
        wait_until("the sink listens", self.listens, 10)
        return self

    def __exit__(self, *_) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.counts = json.loads(self.process.communicate(timeout=60)[0] or "{}")

    def listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def kept_pushes(path: Path) -> Iterator[dict]:
    """Bodies of Loki's JSON, in the order in which they came."""
    with path.open("rb") as file:
        while size := file.readline():
            body = file.read(int(size))
            yield json.loads(gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body)


class Shipper:
    """pmx with --ship, for one run in a home of its own."""

    def __init__(self, pmx: Pmx, url: str | None):
        self.pmx = pmx
        self.url = url

    def start(self, generator: list[str], *options) -> float:
        """The monotonic time of the start."""
        begin = time.monotonic()
        shipping = ["--ship", self.url] if self.url else []
        self.pmx.run("start", generator[0], "--name", "gen", "--no-autorestart", "--interpreter", "none",
                     *shipping, *options, "--", *generator[1:])
        return begin

    def wait_for_worker(self) -> float:
        """Seconds that the worker took, from its own start to its end."""
        worker = self.pmx.pid_of("gen")
        if not worker:
            raise RuntimeError("the generator ended before it could be looked at")
        stat = Path(f"/proc/{worker}/stat")
        begin = int(stat.read_text().rsplit(")", 1)[1].split()[19]) / TICKS  # proc(5): since boot.
        wait_until("the generator ends", lambda: not stat.exists())
        return time.clock_gettime(time.CLOCK_BOOTTIME) - begin

    def status(self) -> dict:
        return json.loads(self.pmx.run("ship", "status", "--json"))["sinks"][0]

    def wait_for(self, lines: int, begin: float) -> tuple[float, float]:
        """Seconds until all are delivered, and the rate of all but the last batch."""
        rate = 0.0
        end = begin + 600
        while True:
            status = self.status()
            now, delivered = time.monotonic(), status["delivered_lines"]
            if not rate and delivered >= lines - BATCH_LINES:
                rate = delivered / (now - begin)
            if delivered >= lines and not status["waiting_lines"]:
                break
            if now > end:
                raise TimeoutError(f"{delivered} of {lines} lines are delivered: {status['state_text']}")
            time.sleep(0.03)
        if delivered != lines or status["dropped"] or status["duplicate_lines"]:
            raise RuntimeError(f"{lines} lines printed: {status}")
        return now - begin, rate

    def wait_for_packing(self) -> None:
        wait_until("packing ends", lambda: not list(self.pmx.logs.glob("gen-out__*.log")) and
                   not list(self.pmx.logs.glob("*.tmp")))


class VlAgent:
    """vlagent with its defaults (native format, zstd), on a file that `cat` writes."""
    name = "vlagent"

    def __init__(self, program: Path, sink: Sink):
        self.program = program
        self.sink = sink

    @staticmethod
    def find() -> Path | None:
        """The program, or None where it is neither in the cache nor to be had."""
        try:
            return store_cache.distribution("victorialogs") / "vlagent"
        except Exception as error:  # Whatever is missing: Go, the network.
            print(f"no vlagent: {str(error)[:200]}", flush=True)
            return None

    @contextlib.contextmanager
    def tail(self) -> Iterator[Path]:
        """The file that it tails; it is ready."""
        with tempfile.TemporaryDirectory(prefix="pmx-bench-") as directory:
            log = Path(directory) / "out.log"
            log.touch()
            self.port = free_port()
            self.process = subprocess.Popen(
                [self.program, f"-fileCollector.glob={directory}/*.log", f"-tmpDataPath={directory}/data",
                 f"-remoteWrite.url=http://127.0.0.1:{self.sink.port}/insert/native",
                 f"-httpListenAddr=127.0.0.1:{self.port}"],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            try:
                wait_until("vlagent is ready", lambda: self.metrics() is not None, 30)
                yield log
            finally:
                self.process.send_signal(signal.SIGINT)
                self.process.wait(30)

    def metrics(self) -> str | None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/metrics", timeout=5) as answer:
                return answer.read().decode()
        except OSError:
            return None

    def delivered(self) -> int:
        """Lines in the blocks that were made, where all of them have been sent."""
        text = self.metrics() or ""

        def value(name: str) -> int:
            found = re.search(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M)
            return int(float(found[1])) if found else 0
        made, sent = value("vlagent_remotewrite_block_size_rows_count"), value("vlagent_remotewrite_blocks_sent_total")
        return value("vlagent_remotewrite_block_size_rows_sum") if made == sent else 0

    @contextlib.contextmanager
    def writing(self, generator: list[str], log: Path) -> Iterator[subprocess.Popen]:
        """generator | cat > log. Both are gone afterwards; wait for the cat to let them end by themselves."""
        with log.open("wb") as out:
            producer = subprocess.Popen(generator, stdout=subprocess.PIPE)
            writer = subprocess.Popen(["cat"], stdin=producer.stdout, stdout=out)
        producer.stdout.close()
        try:
            yield writer
        finally:
            producer.kill()
            producer.wait()
            writer.wait()

    def ship(self, generator: list[str], size_bytes: int) -> Shipment:
        lines = size_bytes // LINE_BYTES
        with self.tail() as log:
            before = cpu_seconds([self.process.pid])
            begin = time.monotonic()
            with self.writing(generator, log) as writer:
                _, _, usage = os.wait4(writer.pid, 0)
                writer.returncode = 0
            wait_until("vlagent has sent all", lambda: self.delivered() >= lines)
            seconds = time.monotonic() - begin
            cpu = cpu_seconds([self.process.pid]) - before
        return Shipment(Run(seconds, cpu, size_bytes), lines, lines / seconds,
                        usage.ru_utime + usage.ru_stime)
