"""The bench's rows about the everyday: how long a command takes with 50 workers that sleep, and how long starting
them takes. PM2 has the same workers, and each command is tried on both in turn."""
import statistics
import subprocess
import time

from programs import Pm2, Pmx
from table import row, verdict

WORKERS = 50
TRIES = 9
SLEEPER = ("start", "/bin/sleep", "--name", "web", "--interpreter", "none", "-i", WORKERS, "--", "100000")
# In restart, stop and start is what the workers take to end and to begin: next to nothing with sleep.
COMMANDS = [["ping"], ["list"], ["jlist"], ["prettylist"], ["id", "web"], ["pid", "web"], ["describe", "7"],
            ["env", "7"], ["logs", "web", "--nostream"], ["save"], ["reset", "all"], ["flush", "web"], ["restart", "7"],
            ["stop", "7"], ["start", "7"]]


def seconds_of(home: Pmx | Pm2, command: list) -> float:
    begin = time.monotonic()
    subprocess.run([home.program, *map(str, command)], env=home.env, cwd=home.work, stdout=subprocess.DEVNULL,
                   stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=120, check=True)
    return time.monotonic() - begin


def beside(pm2: Pm2 | None, theirs: list[float], mine: float) -> str:
    if not pm2:
        return ""
    middle = statistics.median(theirs) * 1000
    return f"{pm2.name} {middle:.0f} ({middle / mine:.0f}x)"


class EverydayRows:
    """Bench has what these use: options, pmx, pm2."""

    def everyday(self) -> None:
        with Pmx(self.pmx) as pmx:
            if self.pm2:
                with Pm2(self.pm2) as pm2:
                    self.time_commands(pmx, pm2)
            else:
                self.time_commands(pmx, None)

    def time_commands(self, pmx: Pmx, pm2: Pm2 | None) -> None:
        homes = [pmx, pm2] if pm2 else [pmx]
        for home in homes:
            home.run(*SLEEPER)
        # Round by round, so that what the machine does at the moment falls on all commands alike.
        times: dict[tuple, list[float]] = {}
        for round_ in range(TRIES + 1):
            for command in COMMANDS:
                for home in homes:
                    took = seconds_of(home, command)
                    if round_:  # The first one warms up.
                        times.setdefault((home, " ".join(command)), []).append(took)
        for command in map(" ".join, COMMANDS):
            mine = statistics.median(times[pmx, command]) * 1000
            row(f"{command} with {WORKERS} workers, ms", f"{mine:.1f}",
                beside(pm2, times.get((pm2, command), []), mine), verdict(mine, at_most=30))

    def start_50(self) -> None:
        homes = [Pmx, Pm2] if self.pm2 else [Pmx]
        times: dict[type, list[float]] = {home: [] for home in homes}
        for round_ in range(self.options.runs + 1):
            for home in homes:
                with home(self.pmx if home is Pmx else self.pm2) as one:
                    took = seconds_of(one, SLEEPER)
                    if round_:
                        times[home].append(took)
        mine = statistics.median(times[Pmx]) * 1000
        row(f"start of {WORKERS} workers, ms", f"{mine:.0f}", beside(Pm2 if self.pm2 else None, times.get(Pm2, []), mine),
            verdict(mine, at_most=1000))
