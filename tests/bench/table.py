"""The table that the bench prints, and what its figures are judged by."""

LINE_BYTES = 216  # Of bench_gen.
table: list[tuple[str, str, str, str]] = []


def row(what: str, pmx: str, peers: str, target: str) -> None:
    table.append((what, pmx, peers, target))
    print(f"  {what}: {pmx} | {peers} | {target}", flush=True)


def verdict(value: float, at_least: float | None = None, at_most: float | None = None) -> str:
    if at_least is not None:
        return f"at least {at_least:g}: {'yes' if value >= at_least else 'NO'}"
    return f"at most {at_most:g}: {'yes' if value <= at_most else 'NO'}"


def print_table() -> None:
    head = ("what", "pmx", "peers in the same run", "figure")
    widths = [max(len(r[i]) for r in [head, *table]) for i in range(4)]
    print()
    for line in [head, tuple("-" * w for w in widths), *table]:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
