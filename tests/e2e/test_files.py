"""Files under PM2's names, and what others do to them while they are written."""
import os
import time

from harness import Home, Failed, check, check_lines, read_log, run_tests, wait_for
from numbered import text_of

OFF = ["--rotate-max-size", "0"]


def numbers_in(data: bytes, name: str) -> list[int]:
    """Of the whole lines; a first line that somebody has cut is left out."""
    lines = data.split(b"\n")
    if lines[0].decode(errors="replace").count(":") != 2 or not lines[0].startswith(name.encode()):
        lines = lines[1:]
    numbers = []
    for raw in lines[:-1]:
        line = raw.decode()
        numbers.append(int(line.split(":")[1]))
        check(line == text_of(name, numbers[-1]), f"a torn line: {line[:120]!r}")
    return numbers


def check_without_gap(numbers: list[int], what: str) -> None:
    for before, after in zip(numbers, numbers[1:]):
        if after != before + 1:
            raise Failed(f"{what}: {after} follows {before}")


def disturbed(what: str, disturb, keeps: list[str]) -> None:
    with Home() as home:
        home.start_numbered("a", *OFF, rate=2000)
        log = home.logs / "a-out.log"
        wait_for("lines", lambda: log.exists() and log.stat().st_size > 50_000)
        disturb(log)
        wait_for("lines in a file of that name",
                 lambda: log.exists() and log.stat().st_size > 50_000)
        time.sleep(0.3)
        home.stop_all()
        home.kill()
        data = b"".join((log.parent / name).read_bytes() for name in keeps) + read_log(log)
        numbers = numbers_in(data, "a")
        check_without_gap(numbers, f"after somebody {what} the file")
        check(numbers[-1] + 1 == home.count("a"), "the last lines are missing")
        if keeps:
            check(numbers[0] == 0, "the first lines are missing")
        check("a-out.log" in home.own_log(), f"pmx.log does not say that somebody {what} the file")


def test_somebody_renames_the_active_file():
    disturbed("renamed", lambda log: os.rename(log, log.parent / "moved"), ["moved"])


def test_somebody_deletes_the_active_file():
    disturbed("deleted", os.unlink, [])


def test_somebody_truncates_the_active_file():
    disturbed("truncated", lambda log: os.truncate(log, 0), [])


def test_somebody_appends_to_the_active_file():
    with Home() as home:
        home.start_numbered("a", *OFF, rate=2000)
        log = home.logs / "a-out.log"
        wait_for("lines", lambda: log.exists() and log.stat().st_size > 50_000)
        for _ in range(5):
            with log.open("ab") as file:
                file.write(b"a foreign line\n")
            time.sleep(0.1)
        home.stop_all()
        home.kill()
        data = read_log(log)
        check(data.count(b"a foreign line\n") == 5, "a foreign line is gone")
        check_lines(data.replace(b"a foreign line\n", b""), {"a": home.count("a")})


def test_names_are_those_of_pm2():
    with Home() as home:
        home.start("my app_1", "/bin/sh", "--interpreter", "none", args=["-c", "echo out; echo err >&2; sleep 60"])
        home.start("two", "/bin/sh", "--interpreter", "none", "-i", 2, args=["-c", "echo $NODE_APP_INSTANCE; sleep 60"])
        ids = sorted(app["pm_id"] for app in home.list() if app["name"] == "two")
        wanted = ["my-app-1-out.log", "my-app-1-error.log", *(f"two-out-{i}.log" for i in ids)]
        for name in wanted:
            wait_for(name, lambda n=name: (home.logs / n).exists() and (home.logs / n).stat().st_size)
        check([(home.logs / f"two-out-{i}.log").read_bytes() for i in ids] == [b"0\n", b"1\n"],
              "instances do not have the numbers 0 and 1")
        for name in ("pmx.log", "pmx.pid", "pids", "state", "logs"):
            check((home.path / name).exists(), f"the home has no {name}")
        paths = home.app("my app_1")["pm2_env"]
        check(paths["pm_out_log_path"] == str(home.logs / "my-app-1-out.log"), "jlist has another path")


def test_dev_null_keeps_nothing_and_stops_nobody():
    with Home() as home:
        home.start_numbered("quiet", "-o", "/dev/null", "-e", "/dev/null", rate=50000, how="chunks", count=200000)
        wait_for("the worker's end", lambda: (home.work / "quiet.count").exists(), 30)
        check(not list(home.logs.glob("quiet-*")), "there is a file")
        check(os.path.exists("/dev/null") and not os.path.isfile("/dev/null"), "/dev/null was replaced")


def test_given_paths_and_a_directory_that_is_made():
    with Home() as home:
        home.start("a", "/bin/sh", "--interpreter", "none", "-o", "deep/er/o.log", "-e", home.work / "e.log",
                   args=["-c", "echo out; echo err >&2; sleep 60"])
        for path, text in ((home.work / "deep/er/o.log", b"out\n"), (home.work / "e.log", b"err\n")):
            wait_for(f"{path}", lambda p=path, t=text: p.exists() and p.read_bytes() == t)


def test_partial_line_shows_soon():
    with Home() as home:
        home.start("prompt", "/bin/sh", "--interpreter", "none", args=["-c", "printf 'name? '; sleep 60"])
        wait_for("the prompt", lambda: read_log(home.logs / "prompt-out.log") == b"name? ", 5)


if __name__ == "__main__":
    run_tests()
