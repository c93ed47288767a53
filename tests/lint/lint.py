"""./dev lint: what a machine can check of the house style without getting in the way.

Include arrows, header-heavy libraries, banned calls, sizes, a test file for every pair, that ctest runs
every test of a script that it runs in parts, and that the commands which README.md shows exist. Prints one
line a finding and exits with 1 where there is one.
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"

# A layer may include itself and these. supervisor sees the keeper's protocol only.
ARROWS = {
    "base": set(),
    "http": {"base"},
    "model": {"base"},
    "keeper": {"base"},
    "capture": {"base", "model"},
    "redact": {"base", "model"},
    "rotate": {"base", "model", "redact"},
    "ship": {"base", "model", "redact", "rotate"},
    "supervisor": {"base", "model", "capture", "redact", "rotate", "ship", "keeper"},
    "config": {"base", "model", "capture", "rotate", "ship", "supervisor"},
    "api": {"base", "model", "capture", "rotate", "ship", "supervisor", "config", "http"},
    "cli": {"base", "model", "capture", "rotate", "ship", "supervisor", "config", "api", "keeper",
            "http"},
}
KEEPER_FROM_OUTSIDE = {"keeper/protocol.h"}

# A unit that includes one of these takes seconds to build: only these adapters may.
HEAVY = {
    r"nlohmann/": {"src/base/json.cpp"},
    r"spdlog/": {"src/api/own_log.cpp"},
    r"yaml-cpp/": {"src/config/internal/yaml.cpp"},
    r"CLI/": {"src/cli/command_line.cpp"},
    r"microhttpd\.h": {"src/http/mhd_library.h"},
    r"simdjson\.h": {"src/base/json.cpp", "src/capture/internal/json_level.cpp", "src/ship/json_fields.cpp",
                      "src/ship/clean_text.cpp", "src/ship/bulk_answer.cpp"},
    r"re2/": {"src/cli/logs.cpp", "src/ship/line_filter.cpp", "src/redact/redactor.cpp",
              "src/config/internal/pattern.cpp", "src/supervisor/ignore_rules.cpp",
              "src/supervisor/health_check.cpp"},
    r"curl/": {"src/ship/curl_transport.cpp", "src/ship/internal/curl_library.cpp", "src/ship/internal/curl_library.h"},
    r"protozero/": {"src/ship/loki_sink.cpp"},
}

# Pattern, files that may, why it is banned.
BANNED = [
    (r"\b(?:sleep|usleep|nanosleep|sleep_for|sleep_until)\s*\(",
     {"src/supervisor/pipeline.cpp"}, "wait on descriptors and timers"),
    (r"(?<![\w.>:])(?:::|std::)?system\s*\(", set(), "spawn through the keeper"),
    (r"\b(?:strtol|strtoul|strtoll|strtoull|strtod|atoi|atol|atof|stoi|stol|stoul|stoull)\s*\(", set(),
     "parse with std::from_chars or base/units.h"),
    (r"(?<![\w_])new\s+[A-Za-z_:]", set(), "std::make_unique"),
    (r"(?<![\w_=] )\bdelete\s+[A-Za-z_(*]|\bdelete\s*\[\]", set(), "one owner: std::unique_ptr"),
    (r"\bstd::j?thread\b", {"src/rotate/packer.cpp", "src/rotate/packer.h", "src/supervisor/pipeline_start.cpp",
      "src/supervisor/pipeline_thread.h", "src/ship/engine.cpp", "src/ship/engine.h",
      "src/supervisor/echo.cpp", "src/supervisor/echo.h", "src/base/bind_probe.cpp"},
     "threads are few and named"),
    (r"\b(?:steady_clock|system_clock|high_resolution_clock)::now\s*\(|\bgettimeofday\s*\(|"
     r"(?<![\w.>])(?:std::|::)?time\s*\((?:nullptr|NULL|0)\)",
     {"src/base/clock.h", "src/base/event_loop.cpp"}, "time comes in by the constructor: base/clock.h"),
    (r"\bthrow\b(?!\s*\()", set(), "return Result<T>"),
]

# A pair without a test of its own, and why.
UNTESTED = {
    "main": "wires the program together: tests/e2e",
    "options": "a plain struct",
    "sink_runner": "the engine drives it: tests/ship/engine_test.cpp",
    "shipping": "glue between the daemon's parts: tests/e2e/test_ship_*.py",
    "mhd_loop": "both servers run on it: tests/api/server_test.cpp, tests/http/file_server_test.cpp",
    "logs": "its parts have theirs: tests/cli/logs_*_test.cpp",
}
MAX_COLUMNS, MAX_SCRIPT_COLUMNS, MAX_SOURCE, MAX_TEST, MAX_FUNCTION = 100, 110, 400, 600, 70

findings: list[str] = []


def report(path: Path, line: int, text: str) -> None:
    findings.append(f"{path.relative_to(ROOT)}:{line}: {text}")


def code_only(text: str) -> str:
    """The text with comments and strings blanked, lines kept."""
    pattern = (r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|' r"'(?:\\.|[^'\\\n])+'")

    def blank(match: re.Match) -> str:
        if match[0].startswith("'") and match.start() and text[match.start() - 1].isdigit():
            return match[0]  # 10'000
        return re.sub(r"[^\n]", " ", match[0])

    return re.sub(pattern, blank, text, flags=re.S)


def check_includes(path: Path, text: str) -> None:
    layer = path.relative_to(SRC).parts[0]
    name = str(path.relative_to(ROOT))
    for at, line in enumerate(text.splitlines(), 1):
        match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        kind, target = match[1], match[2]
        for pattern, allowed in HEAVY.items():
            if re.match(pattern, target) and name not in allowed:
                report(path, at, f"<{target}> is included by {', '.join(sorted(allowed))} only")
        if kind != '"':
            continue
        other = target.split("/")[0]
        if not (SRC / target).exists():
            report(path, at, f'"{target}": includes are written from src/')
        elif other != layer and other not in ARROWS[layer]:
            report(path, at, f'{layer} may not include "{target}"')
        elif other == "keeper" and layer != "keeper" and target not in KEEPER_FROM_OUTSIDE:
            report(path, at, f'"{target}": only the keeper\'s protocol is for others')
        elif "/internal/" in target and other != layer:
            report(path, at, f'"{target}" is private to {other}')


def check_banned(path: Path, code: str) -> None:
    name = str(path.relative_to(ROOT))
    for pattern, allowed, instead in BANNED:
        if name in allowed:
            continue
        for match in re.finditer(pattern, code):
            if instead == "std::make_unique" and re.search(r"_ptr<[^;]*>\s*(\w+)?\s*[({]\s*$", code[:match.start()][-200:]):
                continue  # unique_ptr<T>(new T): a private constructor, which make_unique cannot reach.
            at = code.count("\n", 0, match.start()) + 1
            report(path, at, f"{match[0].strip()}: {instead}")


def check_layout(path: Path, text: str, limit: int, columns: int = MAX_COLUMNS) -> None:
    lines = text.split("\n")
    if len(lines) - 1 > limit:
        report(path, len(lines) - 1, f"{len(lines) - 1} lines, more than {limit}: two concepts?")
    formatted = True
    for at, line in enumerate(lines, 1):
        if "clang-format off" in line:
            formatted = False
        if "clang-format on" in line:
            formatted = True
        if "\t" in line:
            report(path, at, "a tab")
        if formatted and len(line) > columns and "http" not in line and '"' not in line:
            report(path, at, f"{len(line)} columns, more than {columns}: run ./dev fmt")
    if text and not text.endswith("\n"):
        report(path, len(lines), "no newline at the end")


FUNCTION = re.compile(r"^(?!\s*(?:namespace|class|struct|enum|union|extern|constexpr std::array|using)\b)"
                      r"[^\n;#]*[)\w}>]\s*\{$")


def check_functions(path: Path, code: str) -> None:
    """Every block that begins at a line ending in '{' after a ')' and is not inside another such."""
    depth, begin, inside = 0, 0, 0
    for at, line in enumerate(code.split("\n"), 1):
        stripped = line.rstrip()
        if not inside and stripped.endswith("{") and FUNCTION.match(stripped) and ")" in stripped:
            inside, begin = depth + 1, at
        depth += line.count("{") - line.count("}")
        if inside and depth < inside:
            if at - begin + 1 > MAX_FUNCTION:
                report(path, begin, f"a function of {at - begin + 1} lines, more than {MAX_FUNCTION}")
            inside = 0


def check_tests() -> None:
    for header in sorted(SRC.rglob("*.h")):
        source = header.with_suffix(".cpp")
        if not source.exists() or header.stem in UNTESTED or header.parent.name == "internal":
            continue  # What is private is tested through what is public.
        layer = header.relative_to(SRC).parts[0]
        test = ROOT / "tests" / layer / f"{header.stem}_test.cpp"
        if not test.exists():
            report(header, 1, f"has no tests/{layer}/{test.name}")


def check_parts() -> None:
    """A script that ctest runs in parts is run as a whole: each test function is in a part, and each part runs."""
    lists = ROOT / "tests/e2e/CMakeLists.txt"
    text = lists.read_text()
    parts: dict[Path, dict[str, int]] = {}  # By script: its tests that are in a part, and where.

    def add(script: Path, test: str, position: int) -> None:
        at = text.count("\n", 0, position) + 1
        if test in parts.setdefault(script, {}):
            report(lists, at, f"{test} is in a part of {script.name} already")
        parts[script][test] = at

    for match in re.finditer(r"^set\((\w+)\s+(test_[\w\s]+)\)", text, re.M):
        words = match[1].split("_")
        names = ["_".join(words[:count]) for count in range(len(words), 0, -1)]
        script = next((path for name in names if (path := lists.with_name(f"test_{name}.py")).exists()), None)
        if script is None:
            report(lists, text.count("\n", 0, match.start()) + 1, f"{match[1]} is named after no script")
            continue
        for word in re.finditer(r"\w+", match[2]):
            add(script, word[0], match.start(2) + word.start())
        part = match[1].removeprefix(words[0] + "_")
        if not re.search(rf"foreach\(part [^)]*\b{part}\b", text):
            report(lists, text.count("\n", 0, match.start()) + 1, f"no foreach(part ...) has {part}: it does not run")
    each_part = r"foreach\(part ([^)]*)\)\s*pmx_e2e\(\S+ (test_\w+) \S+ test_\$\{part\}\)"
    for match in re.finditer(each_part, text):
        for word in re.finditer(r"\w+", match[1]):
            add(lists.with_name(match[2] + ".py"), f"test_{word[0]}", match.start(1) + word.start())
    for script, listed in parts.items():
        source = script.read_text()
        there = {match[1]: source.count("\n", 0, match.start()) + 1
                 for match in re.finditer(r"^def (test_\w+)", source, re.M)}
        for test in there.keys() - listed.keys():
            report(script, there[test], f"{test} is in no part in {lists.name}: ctest does not run it")
        for test in listed.keys() - there.keys():
            report(lists, listed[test], f"{script.name} has no {test}")


def check_readme() -> None:
    """Every `./dev x` and `pmx x` of README.md is a command."""
    readme = ROOT / "README.md"
    text = readme.read_text()
    dev = subprocess.run([str(ROOT / "dev")], capture_output=True, text=True).stdout
    known = set(re.findall(r"^  (\w+)", dev, re.M))
    for match in re.finditer(r"\./dev ([a-z]\w*)", text):
        if match[1] not in known:
            report(readme, text.count("\n", 0, match.start()) + 1, f"./dev has no {match[1]}")
    commands = "".join(p.read_text() for p in (SRC / "cli").glob("*.cpp"))
    for match in re.finditer(r"^pmx ([a-z][\w|]*)", text, re.M):
        for name in match[1].split("|"):
            if f'"{name}"' not in commands and not re.search(rf'"[^"\n]*\b{name}\b[^"\n]*"', commands):
                report(readme, text.count("\n", 0, match.start()) + 1, f"pmx has no {name}")


def main() -> None:
    for path in sorted([*SRC.rglob("*.h"), *SRC.rglob("*.cpp")]):
        text = path.read_text()
        code = code_only(text)
        check_includes(path, text)
        check_banned(path, code)
        check_layout(path, text, MAX_SOURCE)
        check_functions(path, code)
    for path in sorted([*(ROOT / "tests").rglob("*.h"), *(ROOT / "tests").rglob("*.cpp")]):
        text = path.read_text()
        check_layout(path, text, MAX_TEST)
        check_functions(path, code_only(text))
    for path in sorted([*(ROOT / "tests").rglob("*.py"), ROOT / "dev"]):
        check_layout(path, path.read_text(), MAX_TEST, MAX_SCRIPT_COLUMNS)
    check_tests()
    check_parts()
    check_readme()
    print("\n".join(findings) if findings else "lint: clean")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
