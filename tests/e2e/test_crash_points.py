"""The daemon dies at each named point (src/base/crash_point.h), and every line is there exactly once.

A point that nothing passes fails the test: the daemon must have died as often as was asked for. Every
run has several deaths: PMX_CRASH_POINTS arms one entry for each incarnation of the daemon.
"""
import random
import re
import sys
import time
from pathlib import Path

from harness import Failed, Home, check, check_lines, read_log, run_tests, size, wait_for

HEADER = Path(__file__).resolve().parents[2] / "src/base/crash_point.h"
DEATHS = size(2, 20)
DEATHS_A_RUN = size(2, 5)
SMALL = ["--rotate-max-size", "256K"]
KEEP_ALL = ["--rotate-retain", "0"]

# What a log looks like while the daemon dies: options of the app, and how to read its lines.
LOOKS = {
    "raw": ([], "raw", "halves"),
    "time": (["--time"], "time", "lines"),
    "json": (["--log-type", "json"], "json", "lines"),
    "merged": (["-i", "2", "--merge-logs"], "raw", "halves"),
    "combined": (["--log", "combined.log"], "raw", "chunks"),
    "redacted": (["--redact-patterns", "xyz0"], "redacted", "halves"),
}

GROUPS = {
    "drain": ["start", "after_splice", "ring_end_before_seek", "ring_end_after_seek"],
    "commit": ["intent_half", "after_intent", "data_half", "after_data", "record_half", "after_record"],
    "rotation": ["seal_half", "after_seal", "new_index_half", "new_index_whole", "new_index_named",
                 "after_rename", "after_create", "open_half", "after_open"],
    "end": ["end_seen", "before_end", "end_half", "after_end"],
    "recovery": ["recover_index_cut", "recover_log_opened", "recover_seek", "redo_half",
                 "redo_before_record", "after_redo", "recovered"],
    "lives": ["before_put", "after_put", "before_spawn", "after_spawn", "exit_seen", "exit_saved",
              "message_acted_on"],
    "archive": ["archive_half", "archive_whole", "archive_named", "after_retire"],
}

# Those that no line passes, each with a case of its own where what it is about is tested.
ELSEWHERE = {"bind_taken": "test_cluster_bind.py"}

# A point of recovery is passed when the death before left something to recover.
DEATH_BEFORE = {
    "recover_index_cut": "record_half",
    "recover_log_opened": "after_record",
    "recover_seek": "ring_end_before_seek",
    "redo_half": "data_half",
    "redo_before_record": "after_data",
    "after_redo": "after_intent",
    "recovered": "after_splice",
}
# Passed rarely: the first or second pass, not a random one.
BUSY = {"after_splice", *GROUPS["commit"]}


def names_in_code() -> list[str]:
    table = HEADER.read_text().split("kCrashPointNames{", 1)[1].split("};", 1)[0]
    return re.findall(r'"([a-z_]+)"', table)


def passes(point: str, random_: random.Random) -> int:
    if point in BUSY:
        return random_.randint(5, 60)
    return random_.randint(1, 3) if point in GROUPS["rotation"] else 1


def spec_of(point: str, deaths: int, random_: random.Random) -> str:
    before = DEATH_BEFORE.get(point)
    entries = []
    for _ in range(deaths):
        if before:
            entries.append(f"{before}:{passes(before, random_)}")
        entries.append(f"{point}:{passes(point, random_)}")
    return ",".join(entries)


def options_of(home: Home, look: str) -> list:
    return [home.work / o if o == "combined.log" else o for o in LOOKS[look][0]]


def start_apps(home: Home, point: str, look: str) -> None:
    """One app in the look that is tested and one raw, and one that is restarted again and again."""
    retain = ["--rotate-retain", "2"] if point == "after_retire" else KEEP_ALL
    home.start_numbered("main", *SMALL, *retain, *options_of(home, look), how=LOOKS[look][2],
                        rate=3000, label="main%" if look == "merged" else None)
    home.start_numbered("side", *SMALL, *retain, how="chunks", rate=8000)
    if point in GROUPS["end"] + GROUPS["lives"]:
        home.start_numbered("churn", *SMALL, *retain, "--wait-ready", "--listen-timeout", 60000,
                            # SIGINT at its start is an exception in Python, which may pass unheeded.
                            "--kill-signal", "SIGTERM", rate=1000)


def run_until_dead(home: Home, point: str, spec: str) -> None:
    """Keeps the workers busy until the daemon has died once for every entry of `spec`."""
    deaths = spec.count(",") + 1
    churn = point in GROUPS["end"] + GROUPS["lives"]
    end = time.monotonic() + 60
    while (seen := home.ping()["incarnation"]) < deaths:
        if time.monotonic() > end:
            raise Failed(f"{point} was not passed: the daemon died {seen} times of {deaths}, {spec}")
        if churn:
            home.run_through("restart", "churn")
        time.sleep(0.05)


def check_run(home: Home, point: str, look: str) -> None:
    churn = point in GROUPS["end"] + GROUPS["lives"]
    old = point == "after_retire"
    names = ["main0", "main1"] if look == "merged" else ["main"]
    logs = [home.logs / "main-out.log"]
    if look == "combined":
        logs.append(home.work / "combined.log")
    for log in logs:
        check_lines(read_log(log), {n: home.count(n) for n in names}, LOOKS[look][1], old)
    for name in ["side", "churn"] if churn else ["side"]:
        check_lines(read_log(home.logs / f"{name}-out.log"), {name: home.count(name)}, "raw", old)


def one_run(point: str, look: str, spec: str) -> None:
    with Home(env={"PMX_CRASH_POINTS": spec}) as home:
        start_apps(home, point, look)
        # A start whose daemon has died on it is answered by the next one, which may be at it still.
        workers = wait_for("all run", lambda: 0 not in (pids := home.worker_pids()).values() and pids)
        keeper = home.ping()["keeper_pid"]
        run_until_dead(home, point, spec)
        time.sleep(0.3)  # Some work after the last recovery, too.
        check(home.ping()["keeper_pid"] == keeper, "the keeper is another one")
        if "churn" not in [app["name"] for app in home.list()]:
            check(home.worker_pids() == workers, "a worker was restarted")
        time.sleep(1)  # An interpreter that is only starting dies of its stop with words of its own.
        home.stop_all()
        home.kill()
        check_run(home, point, look)


# A worker that is stopped while its interpreter still starts prints the interpreter's own words, which
# are captured like any others and are no lines that can be counted: such a run is made again.
INTERPRETERS_OWN = re.compile(r"is none of ours: .(Fatal Python error|Traceback|Could not import|KeyboardInterrupt)")


def run_group(group: str) -> None:
    failures = []
    for at, point in enumerate(GROUPS[group]):
        for run in range(max(1, DEATHS // DEATHS_A_RUN)):
            look = list(LOOKS)[(at + run) % len(LOOKS)]
            spec = spec_of(point, DEATHS_A_RUN, random.Random(f"{point} {run}"))
            begin = time.monotonic()
            for attempt in range(3):
                try:
                    one_run(point, look, spec)
                    print(f"  {point}: {look}, {spec} ({time.monotonic() - begin:.1f} s)", flush=True)
                except Failed as error:
                    if attempt < 2 and INTERPRETERS_OWN.search(str(error)):
                        continue
                    failures.append(f"{point} ({look}, {spec}): {error}")
                    print(f"  FAIL {failures[-1]}", flush=True)
                break
    check(not failures, f"{len(failures)} runs failed:\n" + "\n".join(failures))


def test_drain():
    names = [name for group in GROUPS.values() for name in group]
    check(sorted([*names, *ELSEWHERE]) == sorted(names_in_code()), "the points in code are not those tested here")
    for name, file in ELSEWHERE.items():
        check(name in Path(__file__).with_name(file).read_text(), f"{file} has no case for {name}")
    run_group("drain")


def test_commit():
    run_group("commit")


def test_rotation():
    run_group("rotation")


def test_end():
    run_group("end")


def test_recovery():
    run_group("recovery")


def test_lives():
    run_group("lives")


def test_archive():
    run_group("archive")


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("test_"):  # One point: test_crash_points.py redo_half json
        point, look = sys.argv[1], (sys.argv[2:] or ["raw"])[0]
        one_run(point, look, spec_of(point, DEATHS_A_RUN, random.Random()))
    else:
        run_tests()
