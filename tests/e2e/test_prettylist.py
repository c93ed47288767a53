"""`pmx prettylist` is to the letter what Node's util.inspect makes of the same list."""
import json
import random
import subprocess
from pathlib import Path

from harness import PMX, Home, check, run_tests, size

PRINT = Path(PMX).parent / "tests/e2e/inspect_print"
# util.inspect as PM2 calls it: hidden properties no, depth unlimited, colours no.
NODE = """
const lines = require('fs').readFileSync(0, 'utf8').split('\\n').slice(0, -1);
const print = line => require('util').inspect(JSON.parse(line), false, null, false);
process.stdout.write(lines.map(line => print(line) + '\\0').join(''));
"""

# What quoting, escaping, measuring and grouping look at.
PIECES = ["'", '"', "`", "${", "\\", "\n", "\n\n", "\t", "\r", "\b", "\f", "\x00", "\x01", "\x0b", "\x1b[31m",
          "\x7f", "\x80", "\x9f", "\xa0", "\u00e9", "e\u0301", "\u00ff", "\u4e2d\u6587", "\u3042", "\uff21",
          "\ud55c", "\u2713", "\u26a1", "\U0001f680", "\U0001f44d\U0001f3fd", "\u2028", "\u200b", "\ufeff",
          "/var/www/app", "production", "a", " ", "  ", "x" * 15, "0", "=", ",", "--max-old-space-size=4096"]
KEYS = ["name", "_x", "$x", "a1", "1a", "a-b", "", "0", "7", "10", "01", "-1", "4294967294", "4294967295",
        "1.5", "__proto__", "constructor", "pm_exec_path", "it's", 'say "x"', "\u00e9", "line\nbreak",
        "node_args", "NODE_APP_INSTANCE", "x y", "\U0001f680"]
NUMBERS = [0, -0.0, 1, -1, 7, 42, 1e21, 1e20, 123456789012345680000.0, 1.5e300, 5e-324, 1e-6, 1e-7, 1.5e-7,
           -1e-7, 0.1, 0.30000000000000004, 100.0, 123456.789, 2 ** 53, 2 ** 53 + 1, -(2 ** 62),
           1700000000000, 4294967296, 1.7976931348623157e308]


class Values:
    """Values of every shape by a fixed seed: most small, some at each of the limits."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)

    def text(self) -> str:
        kind = self.random.random()
        if kind < 0.5:
            return "".join(self.random.choices(PIECES, k=self.random.randint(0, 4)))
        if kind < 0.85:  # About as long as a line is wide.
            return (self.random.choice(PIECES) + "y" * 90)[:self.random.randint(8, 90)] + self.random.choice(PIECES)
        return "".join(self.random.choices(PIECES, k=self.random.randint(5, 40)))

    def number(self):
        kind = self.random.random()
        if kind < 0.5:
            return self.random.choice(NUMBERS)
        if kind < 0.8:
            return self.random.randint(-10 ** self.random.randint(1, 6), 10 ** self.random.randint(1, 18))
        return self.random.uniform(-1, 1) * 10.0 ** self.random.randint(-30, 30)

    def scalar(self):
        make = self.random.choice([self.text, self.text, self.number,
                                   lambda: self.random.choice([None, True, False])])
        return make()

    def array(self, depth: int) -> list:
        length = self.random.choice([0, 1, 2, 3, 5, 6, 7, 8, 15, 26, 27, 40, 99, 100, 101, 102, 150])
        if length > 8 or self.random.random() < 0.5:  # Alike, as columns want them.
            make = self.random.choice([
                self.number, self.text, self.scalar, lambda: self.random.randint(0, 999),
                lambda: self.value(depth + 3), lambda: self.random.choice(PIECES),
                lambda: "z" * self.random.randint(0, 30)])
            return [make() for _ in range(length)]
        return [self.value(depth + 1) for _ in range(length)]

    def object(self, depth: int) -> dict:
        return {self.random.choice(KEYS) if self.random.random() < 0.7 else self.text(): self.value(depth + 1)
                for _ in range(self.random.choice([0, 1, 1, 2, 3, 4, 6, 9]))}

    def value(self, depth: int = 0):
        kind = self.random.random()
        if depth > 6 or kind < 0.1 + 0.16 * depth:
            return self.scalar()
        return self.array(depth) if kind < 0.55 else self.object(depth)


def edges() -> list:
    """What chance does not meet: each width of a line, and the limits of strings and of nesting."""
    values = [{"k": "v" * a, "l": ["w" * b]} for a in range(30, 80) for b in (0, 1, 5)]
    values += [["p" * n, "q\n" + "r" * n] for n in range(8, 80)]
    values += [[f"{'s' * n}\nend", "\n" * n] for n in (14, 15, 16, 17, 60, 71, 72, 73, 76, 80)]
    values += [{"t": "u" * n + tail} for n in (9_997, 9_998, 9_999, 10_000, 10_001)
               for tail in ("", "\U0001f680", "\u4e2d\u4e2d\u4e2d", "\n\n\n")]
    values += [list(range(n)) for n in range(5, 130)] + [["i" * (n % 7) for n in range(m)] for m in range(5, 60)]
    values += [[list(range(n))] * 3 for n in range(5, 12)] + [[1] * 100 + ["x"], [1] * 101 + ["x"], ["x"] + [1] * 120]
    nested = "end"
    for n in range(40):
        nested = [nested] if n % 2 else {"n": nested, "m": n}
        values.append(nested)
    return values + NUMBERS + [[n] for n in NUMBERS] + PIECES + [{key: key} for key in KEYS + PIECES]


def both(values: list) -> tuple[list[str], list[str]]:
    text = "".join(json.dumps(value) + "\n" for value in values).encode()
    printed = []
    for command in ([str(PRINT)], ["node", "-e", NODE]):
        done = subprocess.run(command, input=text, capture_output=True, timeout=300)
        check(done.returncode == 0, f"{command[0]}: {done.stderr.decode()[-500:]}")
        printed.append(done.stdout.decode("utf-8", "surrogatepass").split("\0")[:-1])
    check(len(printed[0]) == len(printed[1]) == len(values), "not one answer for each value")
    return printed[0], printed[1]


def test_all_values_print_as_node_prints_them():
    chosen = Values(seed=20260704)
    values = edges() + [chosen.value() for _ in range(size(4_000, 20_000))]
    mine, nodes = both(values)
    for value, ours, theirs in zip(values, mine, nodes):
        check(ours == theirs, f"{json.dumps(value)[:2000]}\n-- pmx\n{ours[:2000]}\n-- Node\n{theirs[:2000]}")


def test_a_list_with_a_strange_environment_prints_as_node_prints_it():
    chosen = Values(seed=7)
    env = {f"STRANGE_{n}": chosen.text().replace("\0", "") for n in range(200)}
    with Home(env=env | {"7": "index", "0": "first"}) as home:
        args = [chosen.text().replace("\0", "") for _ in range(30)]
        home.start("web", "/bin/sh", "--interpreter", "none", "--no-autostart", args=["-c", "exit 0", *args])
        theirs = subprocess.run(["node", "-e", NODE], input=home.run("jlist").stdout + "\n",
                                capture_output=True, text=True, check=True).stdout
        ours = home.run("prettylist").stdout
        check(ours + "\0" == theirs, f"-- pmx\n{ours}\n-- Node\n{theirs}")


if __name__ == "__main__":
    run_tests()
