"""A worker that prints numbered lines until it is told to stop, and then says how many.

    numbered.py <name> <directory> [--rate lines/s] [--how lines|chunks|halves|bytes] [--count n]
                [--secrets]

Every line can be computed from its name and number (see text_of), so that the reader of the log can
tell a lost, a repeated and a torn line apart. On SIGINT or SIGTERM it ends the line that it is in and
leaves the number of lines in <directory>/<name>.count; a later run goes on counting from there.
With several instances the name gets NODE_APP_INSTANCE. With --secrets each line ends in some, of its
own.
"""
import argparse
import os
import random
import signal
import time

FILL = "abcdefghijklmnopqrstuvwxyz0123456789" * 12


def text_of(name: str, number: int) -> str:
    """The line, without its newline: 20 to 400 bytes."""
    return f"{name}:{number:09d}:{FILL[: number * 7919 % 380]}"


SECRET = "hunter2"


def secrets_of(number: int) -> str:
    return (f' http://bob:{SECRET}-{number}@h/x {{"token": "{SECRET}, \\"{number}\\"", "n": 1}}'
            f' Authorization: Bearer {SECRET}.{number}')


def write_all(data: bytes) -> None:
    while data:
        data = data[os.write(1, data):]


class Printer:
    def __init__(self, how: str, seed: str):
        self.how = how
        self.random = random.Random(seed)
        self.waiting = b""

    def add(self, line: bytes) -> None:
        self.waiting += line
        if self.how == "lines":
            self.flush()
        elif self.how == "chunks" and len(self.waiting) > 60_000:
            self.flush()
        elif self.how == "halves" and len(self.waiting) > self.random.randrange(10, 3000):
            cut = self.random.randrange(len(self.waiting))
            write_all(self.waiting[:cut])
            self.waiting = self.waiting[cut:]
        elif self.how == "bytes":
            for byte in self.waiting:
                write_all(bytes([byte]))
            self.waiting = b""

    def flush(self) -> None:
        write_all(self.waiting)
        self.waiting = b""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("directory")
    parser.add_argument("--rate", type=float, default=5000)
    parser.add_argument("--how", default="lines")
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--secrets", action="store_true")
    options = parser.parse_args()
    name = options.name
    if "NODE_APP_INSTANCE" in os.environ and name.endswith("%"):
        name = name[:-1] + os.environ["NODE_APP_INSTANCE"]
    stop = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.append(True))
    count_file = os.path.join(options.directory, name + ".count")
    first = int(open(count_file).read()) if os.path.exists(count_file) else 0

    if "NODE_CHANNEL_FD" in os.environ:  # --wait-ready
        os.write(int(os.environ["NODE_CHANNEL_FD"]), b'"ready"\n')
    printer = Printer(options.how, name)
    begin = time.monotonic()
    number = first
    while not stop and (not options.count or number < options.count):
        text = text_of(name, number) + (secrets_of(number) if options.secrets else "")
        printer.add(text.encode() + b"\n")
        number += 1
        ahead = (number - first) / options.rate - (time.monotonic() - begin)
        if ahead > 0.005:
            time.sleep(ahead)
    printer.flush()
    with open(count_file + ".tmp", "w") as file:
        file.write(str(number))
    os.rename(count_file + ".tmp", count_file)


if __name__ == "__main__":
    main()
