"""The index says what is in the files: counts by severity, times, sequence numbers, positions."""
import json
import random
import shutil
import sys

import segment_index
from harness import HERE, Home, check, read_log, run_tests, wait_for

LEVELS = {"debug": ["20", '"debug"'], "info": ["30", '"info"'], "warn": ["40", '"warn"', '"WARNING"'],
          "error": ["50", '"error"'], "fatal": ["60", '"fatal"']}


def input_lines(count: int) -> tuple[list[str], dict[str, int]]:
    """Lines as loggers write them, and how many of each severity."""
    random_ = random.Random(7)
    counts = dict.fromkeys([*LEVELS, "unreadable"], 0)
    lines = []
    for number in range(count):
        severity = random_.choice([*LEVELS, "plain", "broken"])
        if severity == "plain":
            lines.append(f"just words, line {number}")
            severity = "info"
        elif severity == "broken":
            lines.append('{"level":30,"msg":"never ended')
            severity = "unreadable"
        else:
            level = random_.choice(LEVELS[severity])
            lines.append(f'{{"level":{level},"n":{number},"msg":"said \\"level\\":60 and {{}}"}}')
        counts[severity] += 1
    return lines, counts


def printed(home: Home, lines: list[str]) -> None:
    source = home.work / "source"
    source.write_text("".join(line + "\n" for line in lines))
    home.start("a", str(HERE / "emit.py"), "--interpreter", sys.executable, "--no-autorestart",
               "--rotate-max-size", "64K", "--rotate-compress", "none", "--rotate-retain", "0",
               args=[source, 2000, 0.002])
    home.wait_for_end("a")


def test_severity_counts_equal_the_input():
    lines, expected = input_lines(8000)
    with Home() as home:
        printed(home, lines)
        home.kill()
        found = dict.fromkeys([*LEVELS, "unreadable"], 0)
        next_seq, last_time, total = None, 0, 0
        paths = segment_index.index_of(home.path, "a-out")
        check(len(paths) > 3, f"indexes: {paths}")
        for path in paths:
            file_end = 0
            for record in segment_index.records(path):
                if record.type != segment_index.DATA:
                    continue
                check(not record.flags & segment_index.UNPARSED, "a batch was not parsed, though nothing pressed")
                check(next_seq in (None, record.seq), f"seq {record.seq} where {next_seq} should be")
                check(record.time_ns > last_time, "time does not increase")
                check(record.file_end - record.file_len == file_end, "a hole between two batches")
                next_seq, last_time = record.seq + record.lines, record.time_ns + record.lines - 1
                file_end, total = record.file_end, total + record.lines
                for name in ("debug", "warn", "error", "fatal", "unreadable"):
                    found[name] += getattr(record, name)
        found["info"] = total - sum(found.values())
        check(total == len(lines), f"{total} lines in the index, {len(lines)} printed")
        check(found == expected, f"counted {found}, printed {expected}")


def test_a_lost_index_is_rebuilt_from_the_files():
    lines, _ = input_lines(4000)
    with Home() as home:
        printed(home, lines)
        home.end()
        before = read_log(home.logs / "a-out.log")
        shutil.rmtree(home.path / "state/logs")
        shown = home.run("logs", "a", "--raw", "--nostream", "--lines", "100000").stdout
        check(shown.splitlines()[-len(lines):] == lines, "logs without an index shows something else")
        home.run("start", "a")
        home.wait_for_end("a")
        home.kill()
        after = read_log(home.logs / "a-out.log")
        check(after == before * 2, f"{len(after)} bytes after the second run, not twice {len(before)}")


def test_jlist_is_json_even_on_the_first_call():
    with Home() as home:
        check(json.loads(home.run("jlist").stdout) == [], "jlist of an empty home")


if __name__ == "__main__":
    run_tests()
