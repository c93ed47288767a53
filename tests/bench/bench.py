"""./dev bench: one table, each row beside its peers of the same run, medians of alternated runs.

    bench.py --build build/release [--full] [--runs n] [row...]

Rows: blocks packed lines memory everyday start_50 idle follow cluster reload, and those about shipping:
ship_cpu ship_rate ship_memory ship_down. The figures are ratios in one run on one machine: a shared machine
moves absolute numbers by a fifth and more, and neighbours move them together.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

from cluster_rows import ClusterRows
from everyday_rows import EverydayRows
from programs import CAT, S6_LOG, Pm2, Pmx, Run, cpu_seconds, end, pss_kib, wakeups
from ship_rows import ShipRows
from shippers import VlAgent
from table import LINE_BYTES, print_table, row, verdict

GIB = 1 << 30


def median(runs: list[Run], value) -> float:
    return statistics.median(value(run) for run in runs)


def speed(run: Run) -> float:
    return run.size_bytes / run.seconds / 1e6


def cpu_a_gb(run: Run) -> float:
    return run.cpu_seconds / (run.size_bytes / 1e9)


class Bench(ClusterRows, EverydayRows, ShipRows):
    def __init__(self, options):
        self.options = options
        build = Path(options.build).resolve()
        self.pmx = build / "pmx"
        self.gen = str(build / "tests/bench/bench_gen")
        self.sink = str(build / "tests/bench/bench_sink")
        self.pm2 = None if options.no_pm2 else Pm2.find()
        wanted = not options.no_vlagent and bool({"ship_cpu", "ship_rate", "ship_memory"} & set(options.row))
        self.vlagent = VlAgent.find() if wanted else None

    def generator(self, size_bytes: int, *more) -> tuple[list[str], int]:
        lines = size_bytes // LINE_BYTES
        return [self.gen, str(lines), *map(str, more)], lines * LINE_BYTES

    def alternate(self, takes: dict) -> dict[str, list[Run]]:
        """Each taker in turn, as often as was asked for, after one round that only warms up."""
        results = {name: [] for name in takes}
        for round_ in range(self.options.runs + 1):
            for name, take in takes.items():
                run = take()
                if round_:
                    results[name].append(run)
        return results

    def capture_rows(self, what: str, size_bytes: int, generator_options: list, pmx_options: list,
                     peers: list, report) -> None:
        command, size = self.generator(size_bytes, *generator_options)
        with Pmx(self.pmx) as pmx:
            def take_pmx() -> Run:
                pmx.remove_logs()
                run = pmx.capture(command, "--interpreter", "none", *pmx_options, size_bytes=size)
                kept = pmx.lines_kept()
                if kept * LINE_BYTES != size:
                    raise RuntimeError(f"{what}: {size // LINE_BYTES} lines printed, {kept} kept")
                return run

            takes = {"pmx": take_pmx}
            for peer in peers:
                takes[peer.name] = lambda p=peer: p.capture(command, size_bytes=size)
            if self.pm2:
                with Pm2(self.pm2) as pm2:
                    small, small_size = self.generator(size_bytes // 8, *generator_options)
                    takes[pm2.name] = lambda: pm2.capture(small, size_bytes=small_size)
                    report(self.alternate(takes))
            else:
                report(self.alternate(takes))

    def show_speed(self, what: str, at_least: float):
        def report(results: dict[str, list[Run]]) -> None:
            mine = median(results["pmx"], speed)
            others = {n: median(r, speed) for n, r in results.items() if n != "pmx"}
            peers = ", ".join(f"{n} {v:.0f} ({mine / v:.2f}x)" for n, v in others.items())
            row(f"{what}, MB/s", f"{mine:.0f}", peers, "x cat " + verdict(mine / others["cat"], at_least=at_least))
        return report

    def blocks(self) -> None:
        size = (2 if self.options.full else 1) * GIB
        self.capture_rows("blocks", size, ["--block", 65536], ["--rotate-max-size", "0"], [CAT],
                          self.show_speed("64 KiB writes, rotation off", 0.9))

    def packed(self) -> None:
        size = (2 if self.options.full else 1) * GIB
        self.capture_rows("packed", size, ["--block", 65536], ["--rotate-retain", "0"], [CAT],
                          self.show_speed("64 KiB writes, rotation and zstd", 0.4))

    def lines(self) -> None:
        def report(results: dict[str, list[Run]]) -> None:
            mine = median(results["pmx"], cpu_a_gb)
            others = {n: median(r, cpu_a_gb) for n, r in results.items() if n != "pmx"}
            peers = ", ".join(f"{n} {v:.2f} ({mine / v:.2f}x)" for n, v in others.items())
            row("one line a write, CPU-s/GB", f"{mine:.2f}", peers,
                "x cat " + verdict(mine / others["cat"], at_most=0.75) +
                ", x s6-log " + verdict(mine / others["s6-log"], at_most=0.25))
            mine = median(results["pmx"], speed)
            peers = ", ".join(f"{n} {median(r, speed):.0f}" for n, r in results.items() if n != "pmx")
            row("one line a write, MB/s", f"{mine:.0f}", peers, "")
        self.capture_rows("lines", GIB // (1 if self.options.full else 2), [], ["--rotate-max-size", "0"],
                          [CAT, S6_LOG], report)

    def memory(self) -> None:
        peer = ""
        if self.pm2:
            with Pm2(self.pm2) as pm2:
                time.sleep(3)
                peer = f"{pm2.name} {pss_kib(pm2.pids()) / 1024:.1f}"
        with Pmx(self.pmx) as pmx:
            pids = pmx.pids()
            time.sleep(3)
            idle = pss_kib(pids) / 1024
            row("PSS of keeper and daemon, idle, MB", f"{idle:.1f}", peer, verdict(idle, at_most=12))
            first, last = (60, 600) if self.options.full else (10, 40)
            command, _ = self.generator(1 << 40, "--block", 4096, "--bytes-per-second", 20_000_000)
            begin = time.monotonic()
            pmx.run("start", command[0], "--name", "gen", "--interpreter", "none", "--", *command[1:])
            samples = []
            for second in (first, last):
                time.sleep(max(0.0, begin + second - time.monotonic()))
                samples.append(statistics.median(pss_kib(pids) for _ in range(5)) / 1024)
            grown = samples[1] - samples[0]
            row(f"PSS at 20 MB/s, second {last} minus {first}, MB", f"{grown:+.2f}", f"{samples[1]:.1f} in all",
                verdict(grown, at_most=1))

    def idle(self) -> None:
        seconds = 60 if self.options.full else 30
        peer = ""
        if self.pm2:
            with Pm2(self.pm2) as pm2:
                pm2.run("start", "/bin/sleep", "--interpreter", "none", "--", "100000")
                time.sleep(3)
                before = wakeups(pm2.pids())
                time.sleep(seconds)
                peer = f"{pm2.name} {(wakeups(pm2.pids()) - before) / seconds * 10:.0f}"
        with Pmx(self.pmx) as pmx:
            pmx.run("start", "/bin/sleep", "--interpreter", "none", "--", "100000")
            pids = pmx.pids()
            time.sleep(5)
            before, cpu = wakeups(pids), cpu_seconds(pids)
            time.sleep(seconds)
            mine = (wakeups(pids) - before) / seconds * 10
            cpu = cpu_seconds(pids) - cpu
        # A heartbeat wakes its sender and its receiver, and each may wait twice.
        row("idle, wakeups in 10 s", f"{mine:.1f} ({cpu:.2f} CPU-s in {seconds} s)", peer, verdict(mine, at_most=4))

    def follow(self) -> None:
        with Pmx(self.pmx) as pmx:
            count = 3000 if self.options.full else 1000
            follower = None
            try:
                command = [self.gen, str(1 << 40), "--stamp", "--bytes-per-second", str(LINE_BYTES * 200)]
                pmx.run("start", command[0], "--name", "gen", "--interpreter", "none", "--", *command[1:])
                follower = subprocess.Popen([pmx.program, "logs", "gen", "--raw", "--lines", "0"], env=pmx.env,
                                            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
                ages = []
                for raw in follower.stdout:
                    if raw.startswith(b"{"):
                        ages.append((time.time_ns() - json.loads(raw)["time"]) / 1e6)
                    if len(ages) >= count:
                        break
            finally:
                if follower:
                    end(follower)
        ages = ages[50:]
        middle, late = statistics.median(ages), statistics.quantiles(ages, n=100)[98]
        row("a line written until a follower has it, ms", f"median {middle:.1f}, p99 {late:.1f}", "",
            f"median {verdict(middle, at_most=5)}, p99 {verdict(late, at_most=50)}")


def main() -> None:
    rows = ["blocks", "packed", "lines", "memory", "everyday", "start_50", "idle", "follow",
            "cluster", "reload", "ship_cpu", "ship_rate", "ship_memory", "ship_down"]
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--full", action="store_true", help="long runs: twice the bytes, ten minutes of memory")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--no-pm2", action="store_true")
    parser.add_argument("--no-vlagent", action="store_true")
    parser.add_argument("row", nargs="*", choices=[*rows, []])
    options = parser.parse_args()
    options.row = options.row or rows
    bench = Bench(options)
    cpus = len(os.sched_getaffinity(0))
    print(f"{cpus} CPUs, Linux {os.uname().release}, medians of {options.runs} alternated runs after one to warm up"
          f"{'' if options.full else '; short runs, --full is longer'}"
          f"{'' if bench.pm2 else '; without PM2 (no node, no npm, or --no-pm2)'}"
          f"; load average {os.getloadavg()[0]:.1f}", flush=True)
    failed = False
    for name in options.row:
        try:
            getattr(bench, name)()
        except Exception as error:  # One row that cannot be had must not hide the others.
            failed = True
            row(name, "FAILED", str(error)[:80], "")
    print_table()
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
