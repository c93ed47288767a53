"""Redaction before the disk: what a rule knows is in no file of the home, whatever dies, and every line
is there exactly once all the same."""
import time
from pathlib import Path

from harness import Home, check, check_lines, read_log, run_tests, size, unpack, wait_for
from numbered import SECRET
from test_kill_daemon import KILLS, ROTATE, check_undisturbed, kill_at_random

TAKEN_OUT = b' http://bob:[redacted]@h/x {"token": "[redacted]", "n": 1} Authorization: [redacted]'
REDACT = [*ROTATE, "--redact"]
SECRETS = ["--secrets"]


def files_of(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file()]


def check_no_secret(home: Home, secret: bytes = SECRET.encode()) -> None:
    """Neither in the home (logs, archives, indexes, flights, pmx.log) nor in what was shipped from it."""
    for path in files_of(home.work):
        if path.suffix == ".count":
            continue
        data = unpack(path) if path.parent == home.logs else path.read_bytes()
        at = data.find(secret)
        check(at < 0, f"{path.name} has a secret: {data[max(0, at - 60):at + 40]!r}")


def check_redacted(log: Path, expected: dict, look: str = "raw") -> None:
    data = read_log(log)
    taken_out = TAKEN_OUT.replace(b'"', b'\\"') if look == "json" else TAKEN_OUT
    check(data.count(taken_out) == sum(expected.values()), "a line is not redacted as it should be")
    check_lines(data.replace(taken_out, b""), expected, look)


def test_kill_9_shows_no_secret_and_loses_no_line():
    with Home() as home:
        shipped = home.work / "shipped.ndjson"
        home.start_numbered("raw", *REDACT, "--ship", f"file://{shipped}", how="halves", more=SECRETS)
        home.start_numbered("dated", *REDACT, "--time", more=SECRETS)
        home.start_numbered("json", *REDACT, "--log-type", "json", how="chunks", more=SECRETS)
        home.start_numbered("web", *REDACT, "-i", 2, "--merge-logs", "--log", home.work / "both.log",
                            how="halves", label="web%", more=SECRETS)
        keeper, workers = home.ping()["keeper_pid"], home.worker_pids()
        kill_at_random(home, KILLS, 3)
        check_undisturbed(home, keeper, workers)
        # By this daemon, which is a new one.
        wait_for("a count", lambda: all(log["redactions"] > 0 for log in home.app("raw")["pmx"]["logs"]
                                        if log["path"].endswith("raw-out.log")))
        check(home.run("logs", "raw", "--nostream", "--lines", 5).stdout.count("[redacted]") >= 15,
              "pmx logs shows other lines than the file has")
        home.stop_all()
        raw = home.count("raw")
        wait_for("all lines shipped", lambda: shipped.read_bytes().count(b"\n") >= raw)
        home.kill()
        check_redacted(home.logs / "raw-out.log", {"raw": raw})
        check_redacted(home.logs / "dated-out.log", {"dated": home.count("dated")}, "time")
        check_redacted(home.logs / "json-out.log", {"json": home.count("json")}, "json")
        for log in (home.logs / "web-out.log", home.work / "both.log"):
            check_redacted(log, {n: home.count(n) for n in ("web0", "web1")})
        check_no_secret(home)


def test_a_line_in_pieces_over_deaths_has_no_secret():
    """A line of many MiB is written in pieces, each ending where no secret is cut."""
    with Home() as home:
        secret = b'"token":"' + SECRET.encode() * 5 + b'",'
        line = b"".join(b"x" * (n % 97) + secret for n in range(size(60_000, 600_000))) + b"\n"
        (home.work / "long").write_bytes(line)
        home.start("long", str(Path(__file__).with_name("emit.py")), "--no-autorestart", *REDACT,
                   "--interpreter", "python3", args=[home.work / "long", 70_000, 0.01])
        kill_at_random(home, size(5, 30), 4)
        wait_for("the worker's end", lambda: home.status("long") == "stopped", 120)
        home.kill()
        (home.work / "long").unlink()
        wanted = line.replace(secret, b'"token":"[redacted]",')
        check(read_log(home.logs / "long-out.log") == wanted, "the line is another one")
        check_no_secret(home)


def test_half_a_line_is_held_until_it_ends():
    with Home() as home:
        home.start("ask", "/bin/sh", "--no-autorestart", "--interpreter", "none", "--redact",
                   args=["-c", f"printf 'http://bob:{SECRET}'; while [ ! -e go ]; do sleep 0.1; done; echo -rest@h"])
        home.start("plain", "/bin/sh", "--no-autorestart", "--interpreter", "none",
                   args=["-c", "printf 'name? '; while [ ! -e go ]; do sleep 0.1; done; echo"])
        log = home.logs / "ask-out.log"
        wait_for("the prompt of the other app", lambda: (home.logs / "plain-out.log").exists()
                 and (home.logs / "plain-out.log").read_bytes() == b"name? ")
        time.sleep(0.3)
        written = log.read_bytes() if log.exists() else b""
        check(written == b"", f"half a line was written: {written!r}")
        home.kill_daemon()
        check(log.read_bytes() == b"", f"half a line was written by a recovery: {log.read_bytes()!r}")
        (home.work / "go").touch()
        wait_for("the line", lambda: log.read_bytes() == b"http://bob:[redacted]@h\n")


def test_a_private_key_over_lines_and_deaths_is_not_shown():
    begin, body, end = "-----BEGIN RSA PRIVATE KEY-----", f"MIIC{SECRET}", "-----END RSA PRIVATE KEY-----"
    script = (f"echo one; echo {begin}; echo {body}; while [ ! -e go ]; do sleep 0.1; done;"
              f" echo {body}; echo {end}; echo two")
    with Home() as home:
        home.start("key", "/bin/sh", "--no-autorestart", "--interpreter", "none", "--redact", args=["-c", script])
        log = home.logs / "key-out.log"
        wait_for("the line before the key", lambda: log.read_bytes() == b"one\n")
        home.kill_daemon()
        (home.work / "go").touch()
        wait_for("the line behind the key", lambda: log.read_bytes().endswith(b"two\n"))
        check(log.read_bytes() == b"one\n" + 4 * b"[redacted]\n" + b"two\n", f"it has {log.read_bytes()!r}")


def test_what_pmx_run_prints_is_redacted():
    with Home() as home:
        done = home.run("run", "--redact-keys", "pin", "--", "/bin/sh", "-c",
                        """echo '{"pin":1234}'; echo '{"pin":"5678"}' >&2""")
        check(done.stdout == '{"pin":"[redacted]"}\n', f"stdout is {done.stdout!r}")
        check('{"pin":"[redacted]"}' in done.stderr and "5678" not in done.stderr,
              f"stderr is {done.stderr!r}")


def test_rules_that_are_wrong_start_nothing():
    with Home() as home:
        answer = home.run("start", "/bin/sleep", "--redact-patterns", "fine", "--redact-patterns", "(a",
                          ok=False)
        said = answer.stderr.strip()
        check("redact.patterns" in said and '"(a"' in said and "\n" not in said, f"it says {said!r}")
        file = home.work / "apps.json"
        file.write_text('[{"name": "good", "script": "/bin/sleep", "args": "60"},'
                        ' {"name": "bad", "script": "/bin/sleep", "redact": {"pattern": "x"}}]')
        said = home.run("start", file, ok=False).stderr.strip()
        check('did you mean "redact.patterns"?' in said and "\n" not in said, f"it says {said!r}")
        check(home.list() == [], f"something was started: {home.list()}")


if __name__ == "__main__":
    run_tests()
