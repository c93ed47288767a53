"""Reads an index as docs/FORMATS.md describes it: 64-byte records, little endian."""
import struct
from pathlib import Path
from typing import NamedTuple

LAYOUT = struct.Struct("<IBBHQQQqIIIH5H")
HEAD, PREV, STREAM, OPEN, DATA, SEAL, END, NAME, DROPPED = range(1, 10)
UNPARSED = 32


class Record(NamedTuple):
    crc: int
    type: int
    flags: int
    stream: int
    raw_end: int
    file_end: int
    seq: int
    time_ns: int
    raw_len: int
    file_len: int
    data_sum: int
    lines: int
    debug: int
    warn: int
    error: int
    fatal: int
    unreadable: int


assert LAYOUT.size == 64


def records(path: Path) -> list[Record]:
    data = path.read_bytes()
    return [Record(*LAYOUT.unpack_from(data, at)) for at in range(0, len(data) - 63, 64)]


def index_of(home: Path, log_name: str) -> list[Path]:
    """The indexes of a log by segment: state/logs/<stem>-<log id>/<segment>.idx."""
    return sorted((home / "state/logs").glob(f"{log_name}-????????????????/*.idx"))
