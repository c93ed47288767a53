"""Programs that npm has as packages (Node, Bun, Deno), kept in ~/.cache/pmx/<name>-<version>/ and checked by their sums.

They come from the registry that npm is set to; without npm, from $NPM_CONFIG_REGISTRY or the public one.
"""
import base64
import hashlib
import os
import platform
import shutil
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from harness import check
from store_cache import CACHE, cached, download, run


@dataclass(frozen=True)
class NpmProgram:
    name: str
    version: str
    packages: dict  # By machine, as uname -m has it: the package, and its sha512 as npm writes it.
    path: str       # Of the program in the package.


# The baseline build of Bun runs on every x86-64.
BUN = NpmProgram("bun", "1.4.5", {
    "x86_64": ("@oven/bun-linux-x64-baseline",
               "s8yMwYcFnnrA178gji0gZbkE2WVDej/Ti1x770oPfihxyRxSMNhGhiAQNXV53aDeraZxksdvKV/RAdQBCd0qPA=="),
    "aarch64": ("@oven/bun-linux-aarch64",
                "4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg==")},
    "package/bin/bun")
DENO = NpmProgram("deno", "2.9.6", {
    "x86_64": ("@deno/linux-x64-glibc",
               "3md4TKLCuzsLDmfOoC5KN7NAZaxSVkMgm64vg6foD00JBADCpYS2/5QqXfzgnP5ZQz3iLP9vBQJtEgc116OAoQ=="),
    "aarch64": ("@deno/linux-arm64-glibc",
                "poqhoH9B3nYloigEMPT5t8HY+wBeiuea1An5Q7fqgJzP0SYmWsoS/oUnWO/pEiA4ofzIBy1Elt/in58xKtxEoQ==")},
    "package/deno")


def from_npm(program: NpmProgram) -> Path:
    """The program, in a directory that has nothing else: it can go into PATH."""
    name = f"{program.name}-{program.version}"
    return cached(name, lambda directory: fill(program, directory), CACHE.parent) / "bin" / program.name


def fill(program: NpmProgram, directory: Path) -> None:
    known = program.packages.get(platform.machine())
    check(known, f"no {program.name} {program.version} for {platform.machine()}")
    package, wanted = known
    with tempfile.TemporaryDirectory(prefix="pmx-npm-") as work:
        archive = pack(package, program.version, Path(work))
        with archive.open("rb") as file:
            found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
        check(found == wanted, f"the sum of {package} {program.version} is another one")
        to = directory / "bin" / program.name
        to.parent.mkdir()
        with tarfile.open(archive) as files, to.open("wb") as out:
            shutil.copyfileobj(files.extractfile(program.path), out)
        to.chmod(0o755)


def pack(package: str, version: str, directory: Path) -> Path:
    if npm := shutil.which("npm"):
        run([npm, "pack", f"{package}@{version}"], None, directory)
        return next(directory.glob("*.tgz"))
    registry = os.environ.get("NPM_CONFIG_REGISTRY") or "https://registry.npmjs.org"
    name = f"{package.rpartition('/')[2]}-{version}.tgz"
    with (directory / name).open("wb") as file:
        download(f"{registry.rstrip('/')}/{package}/-/{name}", file)
    return directory / name
