"""./dev compat: the same commands through PM2 itself and through pmx, and a table of where they differ.

    compat.py --pmx build/release/pmx [--jobs n] [part of a case's name...]

Each case (cases.py) has a directory and a home of its own for each of the two, below a temporary
directory; the user's own ~/.pm2 is never looked at. A difference is wanted where a row of wanted.py
says so, and the row quotes the line of docs/PM2.md that gives the reason. Ends with 1 where there is
a difference without a row, or (when all cases ran) a row without a difference.
"""
import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "bench"))

from cases import CASES, Case  # noqa: E402
from programs import PM2_VERSION, Pm2  # noqa: E402
from wanted import WANTED, Wanted  # noqa: E402

STEP_SECONDS = 120
DOCS = HERE.parents[1] / "docs/PM2.md"
# What PM2 counts, measures or chooses: only its type is compared.
VOLATILE = {"pid", "pm_uptime", "created_at", "unique_id", "axm_monitor", "axm_actions", "axm_options", "axm_dynamic"}
SHORT = ("status", "restart_time", "namespace", "exec_mode", "NODE_APP_INSTANCE")


class Difference(NamedTuple):
    what: str  # exit code, stdout, stderr, error, list, jlist, home
    pm2: str   # "" where only pmx has it.
    pmx: str   # "" where only PM2 has it.


class Found(NamedTuple):
    case: str
    command: str
    difference: Difference
    row: Wanted | None


class Side:
    """One of the two programs with its directory, its home and what it has shown so far."""

    def __init__(self, name: str, program: Path, directory: Path):
        self.root = directory / name
        self.work, self.user, bin_ = self.root / "work", self.root / "user", self.root / "bin"
        for path in (self.work, self.user, bin_):
            path.mkdir(parents=True)
        (bin_ / "pm2").symlink_to(program)
        self.home = self.user / ".pm2"
        self.pids: set[int] = set()
        # Nothing of the caller's environment: both list the same variables.
        self.env = {"PATH": f"{bin_}:/usr/local/bin:/usr/bin:/bin", "HOME": str(self.user), "USER": "tester", "TZ": "UTC",
                    "LANG": "C.UTF-8", "SHELL": "/bin/sh", "TERM": "dumb", "NO_COLOR": "1", "PM2_DISABLE_VERSION_CHECK": "1"}

    def run(self, line: str) -> subprocess.CompletedProcess:
        try:
            return subprocess.run(["bash", "-c", line], env=self.env, cwd=self.work, capture_output=True, text=True,
                                  timeout=STEP_SECONDS, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return subprocess.CompletedProcess(line, -1, f"did not end in {STEP_SECONDS} s", "")

    def list(self) -> list[dict]:
        elements = json.loads(self.run("pm2 jlist").stdout)
        self.pids |= {element["pid"] for element in elements if element["pid"]}
        return elements

    def masked(self, text: str) -> str:
        return text.replace(str(self.root), "<root>")

    def lines(self, text: str) -> Counter:
        """The lines of an output, without what is another in each run. Tables lose their widths."""
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z?", "<time>", self.masked(text))
        text = re.sub(r"\b\d+\b", lambda number: "<pid>" if int(number[0]) in self.pids else number[0], text)
        found, titles = Counter(), []
        for line in text.splitlines():
            if line.startswith("│"):
                cells = [cell.strip() for cell in line.strip("│").split("│")]
                titles = cells if cells[0] == "id" else titles
                line = "│ " + " │ ".join(masked_cells(cells, titles))
            if line and line[0] not in "┌├└" and not line.startswith("host metrics"):
                found[re.sub(r"^(uptime|memory usage) : .*", r"\1 : <n>", line)] += 1
        return found

    def files(self) -> set[str]:
        return {str(path.relative_to(self.home)) for path in self.home.rglob("*")}

    def end(self) -> None:
        self.run("pm2 kill")
        mark = f"HOME={self.user}".encode()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                if mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                    os.kill(int(entry), signal.SIGKILL)


def masked_cells(cells: list[str], titles: list[str]) -> list[str]:
    if len(cells) == 2:  # describe
        return [cells[0], "<n>" if cells[0] == "uptime" and cells[1] != "0" else cells[1]]
    masks = {"uptime": r"\d+\w", "cpu": r"[\d.]+%", "mem": r"[\d.]+([kmg]?b|\w*…)"}
    return ["<n>" if title in masks and re.fullmatch(masks[title], cell) else cell
            for cell, title in zip(cells, titles)]


# Comparing.

def compare_outputs(sides: list[Side], done: list[subprocess.CompletedProcess]) -> list[Difference]:
    found = []
    codes = [str(one.returncode) for one in done]
    if codes[0] != codes[1]:
        found.append(Difference("exit code", codes[0], codes[1]))
    out = [side.lines(one.stdout) for side, one in zip(sides, done)]
    err = [side.lines(one.stderr) for side, one in zip(sides, done)]
    # Warnings are compared whichever of the two they are on: PM2 has them on both.
    for lines, other in zip(out, err):
        for line in [line for line in lines if line.startswith("[PM2][WARN]")]:
            other[line] += lines.pop(line)
    failed = all(one.returncode for one in done)
    for what, (pm2, pmx) in (("stdout", out), ("error" if failed else "stderr", err)):
        found += [Difference(what, line, "") for line in pm2 - pmx]
        found += [Difference(what, "", line) for line in pmx - pm2]
    return found


def shortened(elements: list[dict]) -> dict[str, str]:
    facts = {}
    for element in elements:
        name = f"{element['name']}:{element['pm_id']}"
        facts |= {f"{name} {key}": json.dumps(element["pm2_env"].get(key)) for key in SHORT}
        facts[f"{name} runs"] = json.dumps(element["pid"] > 0)
    return facts


def compare_lists(pm2: dict[str, str], pmx: dict[str, str]) -> list[Difference]:
    return [Difference("list", f"{key} {pm2[key]}" if key in pm2 else "", f"{key} {pmx[key]}" if key in pmx else "")
            for key in sorted(pm2.keys() | pmx.keys()) if pm2.get(key) != pmx.get(key)]


def type_of(value) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "boolean", False: "boolean", None: "null"}[value]
    return {int: "number", float: "number", str: "string", list: "array", dict: "object"}[type(value)]


def compare_keys(sides: list[Side], pm2: dict, pmx: dict, place: str, app: str) -> list[Difference]:
    found = []
    for key in sorted(pm2.keys() | pmx.keys()):
        name = place + ("<app>" if key == app else key)  # PM2 has a variable of the app's name.
        if key not in pmx or key not in pm2:
            found.append(Difference("jlist", name if key in pm2 else "", name if key in pmx else ""))
        elif type_of(pm2[key]) != type_of(pmx[key]):
            found.append(Difference("jlist", f"{name}: {type_of(pm2[key])}", f"{name}: {type_of(pmx[key])}"))
        elif key in ("pm2_env", "env", "monit"):
            found += compare_keys(sides, pm2[key], pmx[key], name + ".", app)
        elif key not in VOLATILE and place != "monit.":
            texts = [side.masked(json.dumps(value[key])) for side, value in zip(sides, (pm2, pmx))]
            if texts[0] != texts[1]:
                found.append(Difference("jlist", f"{name} = {texts[0]}", f"{name} = {texts[1]}"))
    return found


def compare_elements(sides: list[Side], pm2: list[dict], pmx: list[dict]) -> list[Difference]:
    others = {(element["name"], element["pm_id"]): element for element in pmx}
    found = []
    for element in pm2:
        other = others.get((element["name"], element["pm_id"]))
        if other:  # Otherwise the short list has said so.
            found += compare_keys(sides, element, other, "", element["name"])
    return found


# Running.

def wait(sides: list[Side], line: str) -> None:
    word, *rest = line.split()
    for side in sides:
        if word == "@until":
            name, status = rest[0], " ".join(rest[1:])
            holds = lambda s=side: any(e["name"] == name and e["pm2_env"]["status"] == status for e in s.list())
        else:
            holds = (side.work / rest[0]).exists
        end = time.monotonic() + STEP_SECONDS
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(f"{side.root.name}: {line}")
            time.sleep(0.1)


def run_case(case: Case, programs: list[Path], base: Path) -> list[tuple[str, Difference]]:
    directory = base / re.sub(r"\W+", "-", case.name)
    sides = [Side(name, program, directory) for name, program in zip(("pm2", "pmx"), programs)]
    found: list[tuple[str, Difference]] = []
    elements: list[list[dict]] = [[], []]
    try:
        for side in sides:
            for name, text in case.files.items():
                (side.work / name).write_text(text)
                (side.work / name).chmod(0o755)
            if not case.first:
                side.run("pm2 ping")
        before: set[Difference] = set()
        for line in filter(None, map(str.strip, case.lines.strip().splitlines())):
            if line.startswith("@"):
                wait(sides, line)
                continue
            done = [side.run(line) for side in sides]
            if not case.first:
                elements = [side.list() for side in sides]
            found += [(line, difference) for difference in compare_outputs(sides, done)]
            # What was different before this command is no finding of its.
            now = compare_lists(*map(shortened, elements))
            found += [(line, difference) for difference in now if difference not in before]
            before = set(now)
        found += [("(at the end)", difference) for difference in compare_elements(sides, *elements)]
        mine, other = (side.files() for side in sides)
        found += [("(at the end)", Difference("home", path, "")) for path in sorted(mine - other)]
        found += [("(at the end)", Difference("home", "", path)) for path in sorted(other - mine)]
    finally:
        for side in sides:
            side.end()
    return found


def row_for(case: str, command: str, difference: Difference) -> Wanted | None:
    for row in WANTED:
        if (row.what == difference.what and re.fullmatch(row.pm2, difference.pm2) and
                re.fullmatch(row.pmx, difference.pmx) and re.search(row.where, f"{case}: {command}")):
            return row
    return None


# Showing.

def cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[:width - 1] + "…"


def print_table(findings: list[Found]) -> None:
    """One line for what is the same difference for the same reason, with where it was seen first."""
    counted: dict[tuple, list[Found]] = {}
    for found in findings:
        counted.setdefault((found.difference, found.row), []).append(found)
    head = ("where", "what", "PM2 " + PM2_VERSION, "pmx", "why")
    rows = [head, tuple("-" * len(title) for title in head)]
    for (difference, row), seen in counted.items():
        more = f" (and {len(seen) - 1} more)" if len(seen) > 1 else ""
        rows.append((cut(f"{seen[0].case}: {seen[0].command}", 60) + more, difference.what, cut(difference.pm2, 50),
                     cut(difference.pmx, 50), row.because if row else "NOT EXPLAINED"))
    widths = [max(len(row[i]) for row in rows) for i in range(4)]
    for row in rows:
        print("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths)), row[4]]).rstrip())


def print_unexplained(findings: list[Found]) -> int:
    unexplained = [found for found in findings if not found.row]
    for found in unexplained:
        print(f"\nNOT EXPLAINED, {found.case}: {found.command}\n  {found.difference.what}"
              f"\n    PM2 {found.difference.pm2 or '-'}\n    pmx {found.difference.pmx or '-'}")
    return len(unexplained)


def check_reasons() -> None:
    docs = " ".join(DOCS.read_text().split())
    for row in WANTED:
        if row.because not in docs:
            sys.exit(f"wanted.py gives a reason that is not in docs/PM2.md: {row.because!r}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pmx", required=True)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("case", nargs="*", help="part of a case's name")
    options = parser.parse_args()
    check_reasons()
    pm2 = Pm2.find()
    if not pm2:
        sys.exit(f"PM2 {PM2_VERSION} cannot be had: this needs node and npm, and once the npm registry")
    chosen = [case for case in CASES if not options.case or any(word in case.name for word in options.case)]
    base = Path(tempfile.mkdtemp(prefix="pmx-compat-"))
    try:
        with ThreadPoolExecutor(options.jobs) as pool:
            programs = [pm2, Path(options.pmx).resolve()]
            results = list(pool.map(lambda case: run_case(case, programs, base), chosen))
    finally:
        shutil.rmtree(base, ignore_errors=True)
    findings = [Found(case.name, command, difference, row_for(case.name, command, difference))
                for case, result in zip(chosen, results) for command, difference in result]
    print_table(findings)
    failures = print_unexplained(findings)
    commands = sum(1 for case in chosen for line in case.lines.strip().splitlines() if line.strip()[:1] not in ("", "@"))
    print(f"\n{len(chosen)} cases, {commands} commands: {len(findings)} differences, {failures} of them not explained")
    if not options.case:
        used = {found.row for found in findings}
        for row in [row for row in WANTED if row not in used and not row.sometimes]:
            failures += 1
            print(f"a row of wanted.py that nothing needs any more: {row}")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
