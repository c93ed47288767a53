"""The differences from PM2 that are wanted, each with the words of docs/PM2.md that give the reason."""
from typing import NamedTuple


class Wanted(NamedTuple):
    what: str     # As Difference has it.
    pm2: str      # What PM2 has, as a pattern for all of it; "" where only pmx has something.
    pmx: str
    because: str  # Words of docs/PM2.md.
    where: str = ""  # A pattern that is looked for in "case: command".


WANTED = [
]
