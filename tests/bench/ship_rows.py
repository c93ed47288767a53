"""The bench's rows about shipping: its CPU, its speed, its memory, and what a store that is down does to a worker."""
import re
import statistics
import time
from pathlib import Path

from programs import Pmx, Run, cpu_seconds, pss_kib
from shippers import Shipment, Shipper, Sink, VlAgent, free_port, kept_pushes
from table import LINE_BYTES, row, verdict

SEQ = re.compile(r'"seq":"(\d+)"')
BLOCKS = ("--block", 65536)
NO_ROTATION = ("--rotate-max-size", "0")


def check_pushes(path: Path, lines: int) -> None:
    """Every line once, and in each of the store's streams the oldest first."""
    seen = bytearray(lines)
    last: dict[str, int] = {}
    for push in kept_pushes(path):
        for stream in push["streams"]:
            labels = str(sorted(stream["stream"].items()))
            for value in stream["values"]:
                number = int(SEQ.search(value[1])[1])
                if number <= last.get(labels, -1):
                    raise RuntimeError(f"line {number} came behind line {last[labels]}")
                last[labels] = number
                seen[number] += 1
    if seen != b"\x01" * lines:
        raise RuntimeError(f"of {lines} lines {seen.count(0)} did not come, "
                           f"{lines - seen.count(0) - seen.count(1)} came again")


def median_of(shipments: list[Shipment], value) -> float:
    return statistics.median(value(shipment) for shipment in shipments)


class ShipRows:
    """Bench has what these use: options, pmx, sink, vlagent, generator() and alternate()."""

    def ship_once(self, sink: Sink, lines: int, generator_options=(), pmx_options=()) -> Shipment:
        """As fast as it goes, in a home of its own, until all is delivered and packed."""
        command, size = self.generator(lines * LINE_BYTES, *generator_options)
        with Pmx(self.pmx) as pmx:
            shipper = Shipper(pmx, f"loki+http://127.0.0.1:{sink.port}")
            pids = pmx.pids()
            before = cpu_seconds(pids)
            begin = shipper.start(command, *pmx_options)
            seconds, rate = shipper.wait_for(lines, begin)
            if pmx_options != NO_ROTATION:
                shipper.wait_for_packing()
            return Shipment(Run(seconds, cpu_seconds(pids) - before, size), lines, rate)

    def ship_cpu(self) -> None:
        lines = 4_000_000 if self.options.full else 1_000_000
        with Sink(self.sink) as sink:
            takes = {
                "pmx": lambda: self.ship_once(sink, lines, BLOCKS),
                "lines": lambda: self.ship_once(sink, lines),
                "unrotated": lambda: self.ship_once(sink, lines, BLOCKS, NO_ROTATION),
            }
            if self.vlagent:
                agent = VlAgent(self.vlagent, sink)
                takes[agent.name] = lambda: agent.ship(*self.generator(lines * LINE_BYTES, *BLOCKS))
            results = self.alternate(takes)
        cost = {name: median_of(runs, Shipment.us_a_line) for name, runs in results.items()}
        peers, target = "", verdict(cost["pmx"], at_most=0.9)
        if self.vlagent:
            writer = median_of(results[agent.name], lambda s: s.writer_cpu_seconds / s.lines * 1e6)
            ratio = cost["pmx"] / cost[agent.name]
            peers = f"{agent.name} {cost[agent.name]:.2f} ({ratio:.2f}x), cat > file for it {writer:.2f} more"
            target += ", x vlagent " + verdict(ratio, at_most=0.5)
        row("stdout to file and Loki, 64 KiB writes, CPU-us/line", f"{cost['pmx']:.2f}", peers, target)
        row("… one line a write", f"{cost['lines']:.2f}", "", "")
        row("… 64 KiB writes, rotation off", f"{cost['unrotated']:.2f}", "", "")

    def ship_rate(self) -> None:
        lines = 10_000_000 if self.options.full else 3_000_000
        with Sink(self.sink) as sink:
            takes = {"pmx": lambda: self.ship_once(sink, lines, BLOCKS)}
            if self.vlagent:
                agent = VlAgent(self.vlagent, sink)
                takes[agent.name] = lambda: agent.ship(*self.generator(lines * LINE_BYTES, *BLOCKS))
            results = self.alternate(takes)
        rates = {name: median_of(runs, lambda s: s.rate) for name, runs in results.items()}
        whole = median_of(results["pmx"], lambda s: s.lines / s.run.seconds)
        peers = "".join(f"{name} {rate:,.0f} ({rates['pmx'] / rate:.2f}x), " for name, rate in rates.items()
                        if name != "pmx")
        row("stdout to file and Loki, 64 KiB writes, lines/s", f"{rates['pmx']:,.0f}",
            f"{peers}{whole:,.0f} with the last batch's wait", verdict(rates["pmx"], at_least=500_000))

    def ship_memory(self) -> None:
        """A line a write, 10,000 a second. The highest of a second's samples counts."""
        seconds = 60 if self.options.full else 15
        command, _ = self.generator(1 << 40, "--bytes-per-second", 10_000 * LINE_BYTES)

        def highest(pids: list[int]) -> float:
            samples = []
            for _ in range(seconds):
                time.sleep(1)
                samples.append(pss_kib(pids) / 1024)
            return max(samples[seconds // 3:])

        peer = ""
        with Sink(self.sink) as sink:
            if self.vlagent:
                agent = VlAgent(self.vlagent, sink)
                with agent.tail() as log, agent.writing(command, log):
                    peer = f"{agent.name} {highest([agent.process.pid]):.1f}"
            with Pmx(self.pmx) as pmx:
                shipper = Shipper(pmx, f"loki+http://127.0.0.1:{sink.port}")
                shipper.start(command)
                mine = highest(pmx.pids())
                status = shipper.status()
        if status["waiting_lines"] > 50_000:
            raise RuntimeError(f"it does not keep up with 10,000 lines/s: {status}")
        row("PSS of keeper and daemon, 10,000 lines/s to Loki, MB", f"{mine:.1f}", peer, verdict(mine, at_most=30))

    def ship_down(self) -> None:
        runs, self.options.runs = self.options.runs, max(5, self.options.runs)
        try:
            self.down_speed()
        finally:
            self.options.runs = runs
        self.down_memory()

    def down_speed(self) -> None:
        lines = 20_000_000 if self.options.full else 6_000_000
        command, size = self.generator(lines * LINE_BYTES, *BLOCKS)

        def take(url: str | None) -> Run:
            with Pmx(self.pmx) as pmx:
                pids = pmx.pids()
                before = cpu_seconds(pids)
                shipper = Shipper(pmx, url)
                shipper.start(command)
                seconds = shipper.wait_for_worker()
                return Run(seconds, cpu_seconds(pids) - before, size)

        nobody = f"loki+http://127.0.0.1:{free_port()}"
        results = self.alternate({"pmx": lambda: take(nobody), "alone": lambda: take(None)})
        speeds = {name: statistics.median(run.size_bytes / run.seconds / 1e6 for run in runs)
                  for name, runs in results.items()}
        ratio = speeds["pmx"] / speeds["alone"]
        row("a worker while its store is down, MB/s", f"{speeds['pmx']:.0f}",
            f"without --ship {speeds['alone']:.0f} ({ratio:.2f}x)", "x without " + verdict(ratio, at_least=0.9))

    def down_memory(self) -> None:
        """The store is down for the whole run of a worker at 20 MB/s, then it comes. JSON, so that
        what came can be looked at."""
        seconds = 60 if self.options.full else 15
        lines = 20_000_000 // LINE_BYTES * (seconds + 2)
        command, _ = self.generator(lines * LINE_BYTES, "--block", 4096, "--bytes-per-second", 20_000_000)
        port = free_port()
        with Pmx(self.pmx) as pmx:
            pids = pmx.pids()
            shipper = Shipper(pmx, f"loki+http://127.0.0.1:{port}?encoding=json")
            begin = shipper.start(command)
            samples = []
            for second in (5, seconds):
                time.sleep(max(0.0, begin + second - time.monotonic()))
                samples.append(statistics.median(pss_kib(pids) for _ in range(5)) / 1024)
            grown = samples[1] - samples[0]
            shipper.wait_for_worker()
            waiting = shipper.status()["waiting_lines"]
            if waiting != lines:
                raise RuntimeError(f"{lines} lines printed, {waiting} wait")
            kept = pmx.work / "pushes"
            with Sink(self.sink, port, kept):
                came = time.monotonic()
                took, _ = shipper.wait_for(lines, came)
            check_pushes(kept, lines)
        row(f"PSS while the store is down, 20 MB/s, second {seconds} minus 5, MB", f"{grown:+.2f}",
            f"{samples[1]:.1f} in all", verdict(grown, at_most=1))
        row("… lines delivered once it is up, oldest first", f"{lines:,} of {lines:,}", f"in {took:.1f} s, its next try included", "all: yes")
