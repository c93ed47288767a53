"""Bun as npm has it, kept in ~/.cache/pmx/bun-<version>/ and checked against the sums below."""
import base64
import hashlib
import platform
import shutil
import tarfile
import tempfile
from pathlib import Path

from harness import check
from store_cache import CACHE, cached, run

VERSION = "1.4.5"
# The sha512 of its packages as npm writes it.
SUMS = {"x64": "IWX9BELoGHAUtMonkeSaNaZwXzRk+oDw6Mk+HBFXd3KHYIBNBsIGRupMZPcgNoDbJpLu6gAJjIoIVPZtt1aJ1g==",
        "aarch64": "4BXmsSKnjOrlGWqZV4x/oWa7AVoR+B6lCXddMzOAXBIm3t50eslg9wb66gmtW1AamEQ1l1CDvmmruysEhqOWMg=="}


def bun_binary() -> Path:
    return cached(f"bun-{VERSION}", fill, CACHE.parent) / "bin/bun"


def fill(directory: Path) -> None:
    machine = {"x86_64": "x64", "aarch64": "aarch64"}.get(platform.machine(), "")
    check(machine in SUMS, f"no Bun {VERSION} for {platform.machine()}")
    npm = shutil.which("npm")
    check(npm, "there is no npm: Bun comes from it")
    with tempfile.TemporaryDirectory(prefix="pmx-bun-") as work:
        # From the registry that npm is set to.
        run([npm, "pack", f"@oven/bun-linux-{machine}@{VERSION}"], None, Path(work))
        package = next(Path(work).glob("*.tgz"))
        with package.open("rb") as file:
            found = base64.b64encode(hashlib.file_digest(file, "sha512").digest()).decode()
        check(found == SUMS[machine], f"the sum of Bun {VERSION} is another one")
        (directory / "bin").mkdir()
        with tarfile.open(package) as archive, (directory / "bin/bun").open("wb") as program:
            shutil.copyfileobj(archive.extractfile("package/bin/bun"), program)
        (directory / "bin/bun").chmod(0o755)
