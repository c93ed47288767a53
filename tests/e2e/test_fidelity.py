"""A raw file is byte for byte what the worker wrote, whatever that is."""
import random
import sys
import time

from harness import HERE, Home, check, read_log, run_tests, size, wait_for

OFF = ["--rotate-max-size", "0"]
SMALL = ["--rotate-max-size", "64K", "--rotate-retain", "0"]


def captured(data: bytes, write_bytes: int, *options, pause=None, kill=False) -> bytes:
    """What is in the log of a worker that has printed `data`."""
    with Home() as home:
        source = home.work / "source"
        source.write_bytes(data)
        home.start("emit", str(HERE / "emit.py"), "--interpreter", sys.executable, "--no-autorestart",
                   *options, args=[source, write_bytes, *([pause] if pause else [])])
        if kill:
            home.kill_daemon()
        home.wait_for_end("emit", 120)
        home.kill()
        return read_log(home.logs / "emit-out.log")


def check_same(data: bytes, got: bytes) -> None:
    if got == data:
        return
    at = next((i for i, (a, b) in enumerate(zip(data, got)) if a != b), min(len(data), len(got)))
    check(False, f"{len(data)} bytes written, {len(got)} in the log; at {at}: "
                 f"{data[at:at + 40]!r} became {got[at:at + 40]!r}")


def noise(count: int, seed: int) -> bytes:
    return random.Random(seed).randbytes(count)


def test_binary_data_with_every_byte():
    data = bytes(range(256)) * 40 + noise(3_000_000, 1)
    check_same(data, captured(data, 7919, *OFF))


def test_binary_data_through_rotations_and_a_kill():
    data = noise(4_000_000, 2)
    check_same(data, captured(data, 4096, *SMALL, pause=0.0005, kill=True))


def test_nul_invalid_utf8_and_crlf():
    data = b"one\r\ntwo\r\n\0\0\n\xff\xfe\xc3\x28\n\xed\xa0\x80\r\n\n\n\r\r\n" * 500
    check_same(data, captured(data, 100, *OFF))


def test_one_byte_a_write():
    data = b"".join(b"line %d of many\n" % i for i in range(1500))
    check_same(data, captured(data, 1, *SMALL))


def test_a_last_line_without_newline():
    for data in (b"no newline", b"one\ntwo\nthree", b"a\n" * 100_000 + b"end"):
        check_same(data, captured(data, 65536, *SMALL))


def test_nothing_at_all():
    check_same(b"", captured(b"", 10, *OFF))


def test_a_very_long_line():
    data = b"short\n" + b"0123456789abcdef" * (size(10, 100) * 65536) + b"\nafter\n"
    check_same(data, captured(data, 65536, *OFF))


def test_a_very_long_line_through_rotation():
    data = b"x" * (20 << 20) + b"\n" + b"line\n" * 1000
    check_same(data, captured(data, 65536, "--rotate-max-size", "1M", "--rotate-retain", "0"))


def test_stdout_and_stderr_keep_apart():
    script = "for i in 1 2 3 4 5; do echo out $i; echo err $i >&2; done"
    with Home() as home:
        home.start("both", "/bin/sh", "--interpreter", "none", "--no-autorestart",
                   "--log", home.work / "all.log", args=["-c", script])
        home.wait_for_end("both")
        home.kill()
        numbers = range(1, 6)
        check_same(b"".join(b"out %d\n" % i for i in numbers), read_log(home.logs / "both-out.log"))
        check_same(b"".join(b"err %d\n" % i for i in numbers), read_log(home.logs / "both-error.log"))
        together = read_log(home.work / "all.log").split(b"\n")
        for kind in (b"out", b"err"):
            mine = [line for line in together if line.startswith(kind)]
            check(mine == [b"%s %d" % (kind, i) for i in numbers], f"the combined log has {together}")


def test_a_grandchild_that_keeps_the_pipe_is_heard():
    with Home() as home:
        home.start("parent", "/bin/sh", "--interpreter", "none", "--no-autorestart",
                   args=["-c", "echo parent; (while [ ! -e $0 ]; do sleep 0.1; done; echo late; printf last) & exit 0",
                         home.work / "go"])
        begin = time.monotonic()
        wait_for("the parent's end is seen", lambda: home.status("parent") == "stopped")
        home.kill_daemon()
        home.run("restart", "parent")  # Hangs on nothing.
        (home.work / "go").touch()
        check(time.monotonic() - begin < 10, "the grandchild's pipe was waited for")
        wait_for("both grandchildren's words",
                 lambda: read_log(home.logs / "parent-out.log").count(b"last") == 2)
        log = read_log(home.logs / "parent-out.log")
        check(log.count(b"parent\n") == 2 and log.count(b"late\n") == 2, f"the log is {log!r}")


if __name__ == "__main__":
    run_tests()
