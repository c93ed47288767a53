"""Rotation: names, sizes, packing, retention, and the settings that PM2's users know."""
import contextlib
import re
import sys
import time

from harness import (HERE, SEALED, Home, check, check_lines, read_log, run_tests, sealed_files, unpack,
                     wait_for)


def rotated(*options, count=20_000, name="a") -> tuple[Home, int]:
    """A home in which the app has printed `count` lines and everything has ended."""
    home = Home()
    try:
        home.start_numbered(name, "--no-autorestart", *options, how="lines", rate=1e9, count=count)
        home.wait_for_end(name)
        wait_for("packing has ended", lambda: not list(home.logs.glob("*.tmp")))
        return home, home.count(name)
    except BaseException:
        home.__exit__(*sys.exc_info())
        raise


def names(home: Home) -> list[str]:
    return [path.name for path in sealed_files(home.logs / "a-out.log")]


def packed(home: Home, ending: str):
    """Every sealed file but those that wait for the packer."""
    return wait_for(f"all sealed files end in {ending}",
                    lambda: (found := names(home)) and all(n.endswith(ending) for n in found) and found)


def test_segments_end_at_lines_have_sorting_names_and_unpack():
    for how, ending in (("zstd", ".log.zst"), ("gzip", ".log.gz"), ("none", ".log"),
                        ("true", ".log.gz"), ("false", ".log")):
        home, count = rotated("--rotate-max-size", "256K", "--rotate-compress", how)
        with home:
            found = packed(home, ending)
            check(len(found) >= 5 and found == sorted(found), f"names do not sort by age: {found}")
            numbers = [int(SEALED.search(name)[2]) for name in found]
            check(numbers == list(range(numbers[0], numbers[0] + len(numbers))), f"numbers: {numbers}")
            for path in sealed_files(home.logs / "a-out.log"):
                data = unpack(path)
                check(data.endswith(b"\n"), f"{path.name} does not end at a line")
                check(256 << 10 <= len(data) <= (256 << 10) + (1 << 20), f"{path.name}: {len(data)} bytes")
            check_lines(read_log(home.logs / "a-out.log"), {"a": count})


def test_sizes_as_users_write_them():
    for text in ("262144", "256K", "256k", "256KB", "256KiB", "0.25M"):
        home, _ = rotated("--rotate-max-size", text, count=3000)
        with home:
            check(len(names(home)) in (1, 2), f"{text}: {names(home)}")


def test_zero_is_off():
    home, count = rotated("--rotate-max-size", "0")
    with home:
        check(not names(home), "rotated")
        check_lines(read_log(home.logs / "a-out.log"), {"a": count})


def test_retain_deletes_the_oldest_of_this_log_only():
    home, count = rotated("--rotate-max-size", "64K", "--rotate-retain", "3")
    with home:
        other = home.logs / "a-out-of-here__2020-01-01T00-00-00Z_000001.log"
        near = home.logs / "a-out__holiday.log"
        for path in (other, near):
            path.write_text("not yours\n")
        (home.work / "a.count").unlink()
        home.run("restart", "a")
        home.wait_for_end("a")
        wait_for("three are left", lambda: len(names(home)) == 3)
        check(other.exists() and near.exists(), "somebody else's file was deleted")
        check_lines(read_log(home.logs / "a-out.log"), {"a": count}, first_is_any=True)


def sealed_bytes(home: Home) -> int:
    """Of all sealed files; one that is removed meanwhile takes nothing any more."""
    total = 0
    for path in sealed_files(home.logs / "a-out.log"):
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def test_max_total_size_and_max_age():
    # A segment may be as large as what a late reader finds in the pipe: 1 MiB and a bit.
    home, _ = rotated("--rotate-max-size", "64K", "--rotate-max-total-size", "2M", "--rotate-compress", "none")
    with home:
        wait_for("between 0.5 and 2 MiB are left", lambda: 512 << 10 < sealed_bytes(home) <= 2 << 20)
    home, _ = rotated("--rotate-max-size", "256K", "--rotate-max-age", "2s", count=5000)
    with home:
        time.sleep(2.5)
        (home.work / "a.count").unlink()
        before = set(names(home))
        home.run("restart", "a")  # Another rotation, which is when ages are looked at.
        wait_for("the old ones have gone", lambda: not before & set(names(home)), 90)


def test_max_disk_holds_from_the_moment_it_is_set():
    home, _ = rotated("--rotate-max-size", "64K", "--rotate-retain", "0", "--rotate-compress", "none",
                      count=30_000)
    with home:
        wait_for("more than 4 MiB", lambda: sealed_bytes(home) > 4 << 20)
        home.run("set", "max_disk", "3M")
        wait_for("between 1 and 3 MiB are left", lambda: 1 << 20 < sealed_bytes(home) <= 3 << 20)


def test_flush_empties_this_log_and_lines_go_on():
    home, count = rotated("--rotate-max-size", "64K", "--rotate-retain", "0")
    with home:
        home.run("flush", "a")
        wait_for("no line is left", lambda: not names(home) and read_log(home.logs / "a-out.log") == b"")
        (home.work / "a.count").unlink()
        home.run("restart", "a")
        home.wait_for_end("a")
        home.kill()
        check_lines(read_log(home.logs / "a-out.log"), {"a": count})


def test_numbers_go_on_after_everything_ended():
    home, count = rotated("--rotate-max-size", "256K", "--rotate-retain", "0")
    with home:
        before = packed(home, ".zst")
        home.kill()
        (home.work / "a.count").unlink()
        home.start_numbered("a", "--no-autorestart", "--rotate-max-size", "256K", "--rotate-retain", "0",
                            rate=1e9, count=count)
        home.wait_for_end("a")
        after = packed(home, ".zst")
        check(after[:len(before)] == before, "an archive was replaced")
        numbers = [int(SEALED.search(name)[2]) for name in after]
        check(len(set(numbers)) == len(numbers), f"a number was used twice: {numbers}")


def test_settings_of_pm2_logrotate():
    with Home() as home:
        home.run("set", "pm2-logrotate:max_size", "64K")
        home.run("set", "pm2-logrotate:compress", "true")
        home.run("set", "pm2-logrotate:retain", "4")
        said = home.run("install", "pm2-logrotate").stdout
        check("built in" in said, f"install says {said!r}")
        home.run("set", "pm2-logrotate:workerInterval", "30", ok=None)
        home.start_numbered("a", "--no-autorestart", rate=1e9, count=20_000)
        home.wait_for_end("a")
        wait_for("four packed files", lambda: len(packed(home, ".gz")) == 4)


def test_ecosystem_file_with_rotate_and_env():
    with Home() as home:
        (home.work / "ecosystem.config.js").write_text(f"""
            const size = 64;
            module.exports = {{ apps: [{{
              name: 'a', script: {str(HERE / 'numbered.py')!r}, interpreter: {sys.executable!r},
              args: ['a', {str(home.work)!r}, '--rate', '1e9', '--count', '5000'], autorestart: false,
              rotate: {{ max_size: size + 'K', retain: 100, compress: 'gzip' }},
            }}] }};""")
        home.run("start", "ecosystem.config.js")
        home.wait_for_end("a")
        check(packed(home, ".gz"), "not rotated")
        check_lines(read_log(home.logs / "a-out.log"), {"a": 5000})


def test_a_wrong_value_names_the_setting_and_starts_nothing():
    with Home() as home:
        done = home.run("start", "/bin/true", "--rotate-max-size", "10Q", ok=False)
        check("10Q" in done.stderr and re.search("max.size", done.stderr), f"the error is {done.stderr!r}")
        check(len(done.stderr.strip().splitlines()) == 1, f"not one line: {done.stderr!r}")
        check(home.list() == [], "something was started")


if __name__ == "__main__":
    run_tests()
