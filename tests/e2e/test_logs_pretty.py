"""pmx logs --pretty: stack traces in one piece and JSON laid out, whoever prints in between."""
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime

from harness import Home, check, run_tests, size, wait_for
from test_logs import ended, follow, follow_from_now, lines_of, on_terminal, shell

NAME = re.compile(r"(?:(\d+)\|([\w-]+)\s*|\s+) \| ?(.*)")
TRACES = {
    "node": ["Error: boom {n}", "    at f (/app/x.js:1:2)", "    at g (/app/y.js:3:4)"],
    "python": ["Traceback (most recent call last):", '  File "/app/x.py", line 1, in <module>', "    f()",
               "ValueError: {n}"],
    "java": ["java.io.IOException: {n}", "\tat a.B.c(B.java:1)", "Caused by: java.lang.Error: {n}",
             "\tat d.E.f(E.java:2)", "\t... 12 more"],
    "go": ["panic: {n}", "", "goroutine 1 [running]:", "main.main()", "\t/app/main.go:7 +0x1d"],
    "ruby": ["app.rb:3:in `f': {n} (RuntimeError)", "\tfrom app.rb:5:in `g'", "\tfrom app.rb:7:in `<main>'"],
}
# Prints traces line by line, so that other workers' lines come in between.
PRINTER = """
import os, sys, time
lines, count = {lines!r}, {count}
while not os.path.exists("{go}"):
    time.sleep(0.01)
for n in range(count):
    for line in lines:
        print(line.replace("{{n}}", str(n)), flush=True)
        time.sleep(0.002)
    print("done", n, flush=True)
"""


def events_of(lines: list[str]) -> list[tuple[str, list[str]]]:
    """Whose event it is, and its lines without what stands in front of them."""
    events: list[tuple[str, list[str]]] = []
    for line in lines:
        match = NAME.fullmatch(line)
        check(match, f"a line without its front: {line!r}")
        if match[2]:
            events.append((match[2], [match[3]]))
        else:
            check(events and line.startswith(" "), f"a line under nothing: {line!r}")
            events[-1][1].append(match[3].removeprefix("  "))
    return events


def start_printers(home: Home, count: int, *options) -> None:
    for name, lines in TRACES.items():
        script = home.work / f"{name}.py"
        script.write_text(PRINTER.format(lines=lines, count=count, go=home.work / "go"))
        home.start(name, str(script), "--interpreter", sys.executable, "--no-autorestart", *options)
    wait_for("all of them run", lambda: len(home.list()) == len(TRACES))
    (home.work / "go").touch()


def expected_of(trace: list[str], count: int) -> list[list[str]]:
    events = []
    for n in range(count):
        events += [[line.replace("{n}", str(n)) for line in trace], [f"done {n}"]]
    return events


def times_of(home: Home, name: str, process: int) -> list[float]:
    """When each line of a worker was captured."""
    lines = [json.loads(line) for line in lines_of(home, name, "--json", "--lines", "100000")]
    return [datetime.fromisoformat(line["timestamp"].replace("Z", "+00:00")).timestamp()
            for line in lines if line["process_id"] == process]


def check_events(who: str, events: list[list[str]], expected: list[list[str]], times: list[float]) -> None:
    """Every line exactly once and in order, and each event in one piece; but for one that its worker
    was kept from printing for a tenth of a second, as a busy machine may do."""
    flat = [line for event in events for line in event]
    wanted = [line for event in expected for line in event]
    check(flat == wanted, f"{who}: {len(flat)} lines of {len(wanted)}; first that differs: "
          f"{next(((a, b) for a, b in zip(flat, wanted) if a != b), None)}")
    check(len(times) == len(wanted), f"{who}: {len(times)} times of {len(wanted)} lines")
    begins, at = set(), 0
    for event in events:
        begins.add(at)
        at += len(event)
    at = 0
    for event in expected:
        gaps = [times[at + k] - times[at + k - 1] for k in range(1, len(event))]
        check(at in begins, f"{who}: {event} is joined with what was before it")
        if max(gaps, default=0) < 0.09:
            check(not begins & set(range(at + 1, at + len(event))), f"{who}: {event} is cut apart")
        at += len(event)


def check_traces(home: Home, events: list[tuple[str, list[str]]], count: int) -> None:
    for process, (name, trace) in enumerate(TRACES.items()):
        found = [lines for who, lines in events if who == name]
        check_events(name, found, expected_of(trace, count), times_of(home, name, process))


def test_traces_of_five_languages_stay_whole_while_all_print_at_once():
    count = size(30, 300)
    with Home() as home:
        follow_from_now(home, "--pretty")
        start_printers(home, count, "--merge-logs")
        for name in TRACES:
            ended(home, name)
        followed = home.work / "followed"

        def lines() -> list[str]:
            return [x for x in followed.read_text().splitlines() if not x.startswith("[TAILING]")]
        wait_for("the last events", lambda: sum(x.endswith(f"done {count - 1}") for x in lines()) == len(TRACES))
        check_traces(home, events_of(lines()), count)
        for up in (True, False):  # And as history, by the daemon up and down.
            shown = events_of(lines_of(home, "--pretty", "--lines", str(20 * count)))
            check_traces(home, shown, count)
            turns = sum(a[0] != b[0] for a, b in zip(shown, shown[1:]))
            check(turns > count, f"{turns} turns between workers that print at the same time")
            if up:
                home.end()
        last = events_of(lines_of(home, "--pretty", "--lines", "2"))
        check(len(last) == 2 * len(TRACES), f"--lines 2: {len(last)} events of {len(TRACES)} workers")
        check(all(len(lines) == 1 or lines[1:] for _, lines in last), f"--lines 2: {last}")


def test_traces_of_instances_that_share_a_log_stay_apart():
    count = size(50, 500)
    lines = ["Error: {me}.{n}", "    at {me}.{n} (x.js:1:2)", "    at {me}.{n} (y.js:3:4)"]
    with Home() as home:
        script = home.work / "a.py"
        script.write_text("import os\nme = os.environ['NODE_APP_INSTANCE']\n" +
                          PRINTER.format(lines=lines, count=count, go="/")
                          .replace('"{n}", str(n))', '"{n}", str(n)).replace("{me}", me)')
                          .replace('"done"', 'f"me{me}"'))
        home.start("a", str(script), "--interpreter", sys.executable, "--no-autorestart", "-i", "3", "--merge-logs")
        wait_for("the end of all three", lambda: all(a["pm2_env"]["status"] == "stopped" and not a["pmx"]["open_runs"]
                                                     for a in home.list()), 60)
        check(len(list(home.logs.glob("a*out*.log"))) == 1, "the instances do not share a log")
        shown = [event for _, event in events_of(lines_of(home, "a", "--pretty", "--lines", str(20 * count)))]
        for me in range(3):
            # All lines of one have its number: an event with two of them is nobody's.
            mine = [event for event in shown if all(re.search(rf"(?:me|Error:|at) ?{me}", x) for x in event)]
            trace = [line.replace("{me}", str(me)) for line in lines]
            expected = [[x.replace("done", f"me{me}") if x.startswith("done") else x for x in event]
                        for event in expected_of(trace, count)]
            check_events(f"instance {me}", mine, expected, times_of(home, "a", me))


def test_an_event_is_shown_whole_where_one_of_its_lines_matches():
    script = (r"printf 'Error: first\n    at needle (x.js:1:2)\n    at z (x.js:2:3)\n'; sleep 0.3;"
              r"printf 'Error: second\n    at other (x.js:1:2)\n'; sleep 0.3; echo plain; sleep 0.3;"
              r"""printf 'Traceback (most recent call last):\n  File "x.py", line 1\nValueError: third\n'; sleep 0.3;"""
              r"""echo '{"level":"error","msg":"json"}'""")
    with Home() as home:
        shell(home, "a", script)
        ended(home, "a")
        first = [("a", ["Error: first", "    at needle (x.js:1:2)", "    at z (x.js:2:3)"])]
        for pattern in ("needle", "^Error: first$", "z .x.js:2:3.$"):
            shown = events_of(lines_of(home, "a", "--pretty", "--grep", pattern))
            check(shown == first, f"--grep {pattern}: {shown}")
        shown = events_of(lines_of(home, "a", "--pretty", "--level", "error"))
        check([lines[0][:13] for _, lines in shown][:2] == ["Error: first", "Error: second"], f"--level: {shown}")
        check("json" in shown[-1][1][0] and len(shown[0][1]) == 3, f"--level: {shown}")
        check(len(lines_of(home, "a", "--pretty", "--lines", "1", "--grep", "^Error: ")) == 2, "--lines and --grep")
        shown = events_of(lines_of(home, "a", "--pretty", "--since", "1h", "--out"))
        check(len(shown) == 5, f"--since: {shown}")
        check(lines_of(home, "a", "--pretty", "--since", "1h", "--err") == [], "--err")
        check(lines_of(home, "a", "--pretty", "--until", "2020-01-01") == [], "--until")


def test_json_lines_are_laid_out():
    record = {"level": 50, "time": 1795428001500, "pid": 7, "msg": "failed", "req": {"id": 1, "url": "/a b"},
              "err": {"type": "Error", "message": "boom", "stack": "Error: boom\n    at f (x.js:1:2)"}}
    with Home() as home:
        (home.work / "lines").write_text(json.dumps(record) + "\n" + '{"msg":"\\u001b]0;t\\u0007","n":1}\nplain\n')
        home.start("a", "/bin/cat", "--interpreter", "none", "--no-autorestart", args=[home.work / "lines"])
        ended(home, "a")
        lines = lines_of(home, "a", "--pretty")
        check(lines[0] == '0|a        | 2026-11-23 10:00:01.500 ERROR failed pid=7 req={"id":1,"url":"/a b"} '
              'err={"type":"Error","message":"boom"}', f"{lines[0]!r}")
        check(lines[1:3] == ["           |   Error: boom", "           |       at f (x.js:1:2)"], f"{lines[1:3]}")
        check(re.fullmatch(r"0\|a +\| 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \^\[\]0;t\^G n=1", lines[3]), f"{lines[3]!r}")
        check(lines[4] == "0|a        | plain", f"{lines[4]!r}")
        stamped = lines_of(home, "a", "--pretty", "--timestamp", "YYYY")
        check(stamped[-1].endswith(" 0|a        | plain") and stamped[1].startswith("     "), f"{stamped}")
        seen = on_terminal(home, "logs", "a", "--pretty", "--nostream")
        check(b"\x1b[31mERROR\x1b[39m failed" in seen, f"the level has no colour: {seen!r}")
        check(b"\x1b]" not in seen and b"\x07" not in seen, f"control bytes: {seen!r}")
        check(b"\x1b" not in home.run("logs", "a", "--pretty", "--nostream", binary=True).stdout, "colours in a pipe")


def test_dates_and_objects_that_pmx_has_written_around_lines():
    script = r"printf 'Error: boom\n    at f (x.js:1:2)\n'; sleep 0.3; echo '{\"msg\":\"m\",\"n\":1}'"
    for options in (["--time"], ["--log-type", "json"]):
        with Home() as home:
            shell(home, "a", script.replace('\\"', '"'), *options)
            ended(home, "a")
            shown = events_of(lines_of(home, "a", "--pretty"))
            check(len(shown) == 2 and shown[0][1][1:] == ["    at f (x.js:1:2)"], f"{options}: {shown}")
            check(shown[0][1][0].endswith("Error: boom"), f"{options}: {shown}")
            check(shown[1][1][0].endswith(" m n=1"), f"{options}: {shown}")


def test_a_trace_that_is_not_complete_is_shown_after_a_moment():
    with Home() as home:
        shell(home, "a", r"printf 'Error: boom\n    at f (x.js:1:2)\n'; sleep 60")
        shell(home, "b", "printf 'Name: '; sleep 60")
        follower = follow(home, "--pretty")
        followed = home.work / "followed"
        wait_for("trace and prompt", lambda: (t := followed.read_text()).count("at f") == 1 and "Name: " in t)
        follower.send_signal(signal.SIGINT)
        check(follower.wait(10) == 0, f"Ctrl-C ends with {follower.returncode}")
        check("0|a        | Error: boom\n           |       at f (x.js:1:2)\n" in followed.read_text(), "cut apart")


def test_follows_through_rotations_and_kills_of_the_daemon():
    with Home() as home:
        script = home.work / "a.py"
        script.write_text(PRINTER.format(lines=TRACES["node"], count=600, go="/"))
        follower = follow_from_now(home, "--pretty")
        home.start("node", str(script), "--interpreter", sys.executable, "--no-autorestart",
                   "--rotate-max-size", "8K", "--rotate-retain", "0")
        for _ in range(3):
            home.kill_daemon()
            time.sleep(0.3)
        ended(home, "node")
        followed = home.work / "followed"
        wait_for("the last event", lambda: "done 599" in followed.read_text())
        follower.send_signal(signal.SIGINT)
        follower.wait(10)
        lines = [x for x in followed.read_text().splitlines() if not x.startswith("[TAILING]")]
        # A daemon that was away may leave more than a tenth of a second between two lines: then a
        # trace may be in two pieces, but nothing is lost and nothing comes twice.
        flat = [line for _, event in events_of(lines) for line in event]
        expected = [line.replace("{n}", str(n)) for n in range(600) for line in TRACES["node"] + ["done {n}"]]
        check(flat == expected, f"{len(flat)} lines of {len(expected)}")


def test_refuses_what_contradicts_it():
    with Home() as home:
        shell(home, "a", "echo x")
        for option in ("--raw", "--json", "--format"):
            done = home.run("logs", "a", "--pretty", option, "--nostream", ok=False)
            lines = done.stderr.splitlines()
            check(len(lines) == 1 and option in lines[0], f"{option}: {done.stderr!r}")
            check(not done.stdout, f"{option}: {done.stdout!r}")
        for shown in (home.run("help", "logs").stdout, home.run("docs", "man").stdout.replace("\\-", "-"),
                      home.run("completion", "bash").stdout):
            check("--pretty" in shown, "--pretty is not said")


def test_a_closed_pipe_ends_it():
    with Home() as home:
        home.start_numbered("a", "--no-autorestart", rate=1e9, count=20000)
        ended(home, "a")
        read_end, write_end = os.pipe()
        process = home.spawn("logs", "a", "--pretty", "--lines", "20000", stdout=write_end, stderr=subprocess.PIPE)
        os.close(write_end)
        os.read(read_end, 100)
        os.close(read_end)
        check(process.wait(20) == 0 and not process.stderr.read(), "a closed pipe is an error")


if __name__ == "__main__":
    run_tests()
