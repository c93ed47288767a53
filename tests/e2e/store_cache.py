"""Where the real stores come from: ~/.cache/pmx/stores/<name>-<version>/, filled at the first use.

Loki and VictoriaLogs (with vlagent) are built from their Go modules: the Go command checks them
against sum.golang.org. OpenSearch and Elasticsearch are the distributions that their makers publish
on Maven Central for integration tests, checked against the sums below. GOPROXY, and a mirror of
Maven's own settings, are heeded.

A directory is made beside its place and renamed, under a lock: it is whole or not there, and two
tests that want the same store wait for one build.
"""
import base64
import contextlib
import fcntl
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as xml
import zipfile
from dataclasses import dataclass
from pathlib import Path

from harness import Failed, check

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pmx" / "stores"


@dataclass(frozen=True)
class GoPrograms:
    """Commands of a Go module, built as the module itself would build them."""
    version: str
    module: str
    packages: tuple[str, ...]
    replaced: tuple[str, ...] = ()


@dataclass(frozen=True)
class JavaZip:
    version: str
    group: str
    sha512: str


DISTRIBUTIONS = {
    "loki": GoPrograms("3.7.8", "github.com/grafana/loki/v3", ("cmd/loki",)),
    "victorialogs": GoPrograms(
        "1.51.1-0.20260624061259-dc94972a8708", "github.com/VictoriaMetrics/VictoriaLogs",
        ("app/victoria-logs", "app/vlagent"),
        ("github.com/VictoriaMetrics/VictoriaMetrics => github.com/VictoriaMetrics/VictoriaMetrics v1.147.0",)),
    "opensearch": JavaZip(
        "2.19.1", "org/opensearch/distribution/integ-test-zip",
        "0bed69daad3c80e1302a0dba083f04f5accbb94ba8451052822ec065d24432fe"
        "096e329d6971758a8a021025b0302ee5b27eb5d89506853d8be736305f407651"),
    "elasticsearch": JavaZip(
        "8.19.0", "org/elasticsearch/distribution/integ-test-zip",
        "bd600df798d23d2683c999e19299164a2b3af265bc09b43fb86e1f5fbc0ccb14"
        "e8b2ac12b36631d835bcabc0eda2a050e06696e9f9ac283a309be6a6612a8017"),
}

# Debian 12's Go is too old for the stores. Go is a Go module too; these are its sums in sum.golang.org.
GO_VERSION = "1.26.5"
GO_SUMS = {"amd64": "h1:/yCM7qVQu6sYYUewQ39rtTtRMYMHdbP9oNjgp+lEV9w=",
           "arm64": "h1:UHSk3bG/La7y0Yct6mGksNBsq5i/8jxM+TAKPjB6jUM="}


def distribution(name: str) -> Path:
    """The directory of a store's programs, made if it is not there yet."""
    wanted = DISTRIBUTIONS[name]
    fill = fill_from_go if isinstance(wanted, GoPrograms) else fill_from_maven
    return cached(f"{name}-{wanted.version}", lambda directory: fill(name, wanted, directory))


def cached(name: str, fill, cache: Path = CACHE) -> Path:
    """cache/name, which `fill(directory)` makes when it is not there."""
    place = cache / name
    if place.exists():
        return place
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists():  # Somebody else made it while we waited.
            return place
        begin = time.monotonic()
        print(f"fetching {name} into {cache} …", flush=True)
        # Left over by one that was killed: whoever holds the lock is the only one.
        for old in cache.glob(f".{name}.*"):
            shutil.rmtree(old)
        work = Path(tempfile.mkdtemp(prefix=f".{name}.", dir=cache))
        try:
            work.chmod(0o755)
            fill(work)
            work.rename(place)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        print(f"{name} is there after {time.monotonic() - begin:.0f} s", flush=True)
    return place


def download(url: str, file) -> None:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            shutil.copyfileobj(answer, file, 1 << 20)
    except OSError as error:
        raise Failed(f"{url}: {error}") from None
    file.flush()


def run(command: list[str], env: dict, directory: Path) -> str:
    done = subprocess.run(command, env=env, cwd=directory, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL)
    check(done.returncode == 0, f"{' '.join(command)}: {done.stderr[-4000:]}")
    return done.stdout


# Go.

def go_program() -> tuple[str, dict]:
    """The Go command and its environment. From 1.21 on, it fetches the version that a module asks for."""
    # GOWORK, GOFLAGS: what whoever runs this builds elsewhere has no say here.
    env = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "auto", "GOWORK": "off", "GOFLAGS": "-buildvcs=false"}
    found = shutil.which("go")
    version = re.search(r"go1\.(\d+)", run([found, "version"], env, Path("/"))) if found else None
    if version and int(version[1]) >= 21:
        return found, env
    return str(cached(f"go-{GO_VERSION}", fill_go) / "bin/go"), env


def fill_go(directory: Path) -> None:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), "")
    check(machine in GO_SUMS, f"no Go for {platform.machine()}: install one from 1.21 on")
    proxies = re.split("[,|]", os.environ.get("GOPROXY", ""))
    proxy = next((one for one in proxies if one.startswith("http")), "https://proxy.golang.org")
    name = f"v0.0.1-go{GO_VERSION}.linux-{machine}"
    with tempfile.TemporaryFile() as file:
        download(f"{proxy.rstrip('/')}/golang.org/toolchain/@v/{name}.zip", file)
        with zipfile.ZipFile(file) as archive:
            check(module_sum(archive) == GO_SUMS[machine], f"the sum of Go {GO_VERSION} is another one")
            unpack(archive, directory)
    # Modules carry no modes (golang.org/ref/mod#zip-files).
    for folder in ("bin", "pkg/tool"):
        for path in (directory / folder).rglob("*"):
            path.chmod(0o755)


def module_sum(archive: zipfile.ZipFile) -> str:
    """The "h1:" sum of go.sum: of the sorted list of the files' own sums (golang.org/x/mod/sumdb/dirhash)."""
    rows = [f"{hashlib.sha256(archive.read(name)).hexdigest()}  {name}\n" for name in sorted(archive.namelist())]
    return "h1:" + base64.b64encode(hashlib.sha256("".join(rows).encode()).digest()).decode()


def fill_from_go(name: str, wanted: GoPrograms, directory: Path) -> None:
    go, env = go_program()
    with tempfile.TemporaryDirectory(prefix=f"pmx-{name}-") as work:
        at = Path(work)
        module = f"{wanted.module}@v{wanted.version}"
        own = json.loads(run([go, "mod", "download", "-json", module], env, at))["GoMod"]
        described = json.loads(run([go, "mod", "edit", "-json", own], env, at))
        # What a module replaces counts only where it is the main one: we say it again, except for
        # directories of its own repository, which no other module can see.
        replaced = [*wanted.replaced, *(
            f"{row['Old']['Path']} => {row['New']['Path']} {row['New']['Version']}"
            for row in described.get("Replace") or [] if row["New"].get("Version"))]
        (at / "go.mod").write_text(f"module pmx.invalid/{name}\n\ngo {described['Go']}\n\n"
                                   f"require {wanted.module} v{wanted.version}\n\n" +
                                   "".join(f"replace {row}\n" for row in replaced))
        run(["nice", go, "build", "-mod=mod", "-trimpath", "-ldflags=-s -w", "-o", f"{directory}/",
             *(f"{wanted.module}/{package}" for package in wanted.packages)], env, at)


# Maven.

def maven_repository() -> str:
    """Maven Central, or what this machine's settings name in its place."""
    for path in (Path.home() / ".m2/settings.xml", Path("/etc/maven/settings.xml")):
        with contextlib.suppress(OSError, xml.ParseError):
            for mirror in xml.parse(path).iterfind(".//{*}mirror"):
                place = mirror.findtext("{*}url", "").strip().rstrip("/")
                if mirror.findtext("{*}mirrorOf", "").strip() in ("*", "central") and place.startswith("http"):
                    return place
    return "https://repo1.maven.org/maven2"


def fill_from_maven(name: str, wanted: JavaZip, directory: Path) -> None:
    with tempfile.TemporaryFile() as file:
        download(f"{maven_repository()}/{wanted.group}/{name}/{wanted.version}/{name}-{wanted.version}.zip", file)
        file.seek(0)
        check(hashlib.file_digest(file, "sha512").hexdigest() == wanted.sha512, f"the sum of {name} is another one")
        with zipfile.ZipFile(file) as archive:
            unpack(archive, directory)


def unpack(archive: zipfile.ZipFile, directory: Path) -> None:
    """Without the folder that everything in the archive lies in, and with the modes, which zipfile
    leaves out. Empty directories too: OpenSearch misses its plugins directory."""
    whole = directory / ".whole"
    for entry in archive.infolist():
        path = Path(archive.extract(entry, whole))
        if mode := entry.external_attr >> 16 & 0o777:
            path.chmod(mode)
    top = os.path.commonpath([name for name in archive.namelist() if not name.endswith("/")])
    for path in (whole / top).iterdir():
        path.rename(directory / path.name)
    shutil.rmtree(whole)


def java_home() -> str:
    """Of the java in the path: what OpenSearch and Elasticsearch run on. 17 or later."""
    found = shutil.which("java")
    check(found, "there is no java: `./dev setup --stores` installs openjdk-17-jre-headless")
    return str(Path(found).resolve().parents[1])
