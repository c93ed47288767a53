"""Programs of one Go file, built and kept in ~/.cache/pmx/go-<name>-<sum of the file>/."""
import hashlib
from pathlib import Path

from store_cache import CACHE, cached, go_program, run


def go_binary(source: Path) -> Path:
    digest = hashlib.sha256(source.read_bytes()).hexdigest()[:16]
    go, env = go_program()
    return cached(f"go-{source.stem}-{digest}", lambda directory: run(
        [go, "build", "-trimpath", "-o", f"{directory}/{source.stem}", str(source)], env, directory),
        CACHE.parent) / source.stem
