"""Folders that are made once from the same inputs, and kept under `build/`."""

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from cdk import ROOT

BUILD = ROOT / "build"
_DIGITS = 16
_KEEP_SECONDS = 3600.0


def cached(cache: Path, name: str, inputs: list[str | bytes], make: Callable[[Path], None]) -> Path:
    """Return the folder that `make` makes from these inputs, making it now unless it is there.

    Half a folder is never seen, and two processes may ask at once. What was not asked for lately is removed.
    """
    digest = hashlib.sha256()
    for value in inputs:
        data = value.encode() if isinstance(value, str) else value
        digest.update(len(data).to_bytes(8, "big") + data)
    folder = cache / f"{name}-{digest.hexdigest()[:_DIGITS]}"
    if folder.exists():
        os.utime(folder)
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{name}-") as unfinished:
        make(Path(unfinished, "made"))
        try:
            Path(unfinished, "made").rename(folder)
        except OSError:
            if not folder.exists():  # otherwise another process was faster, with the same content
                raise
    _remove_old(cache, name)
    return folder


def _remove_old(cache: Path, name: str) -> None:
    """Remove what was made from earlier inputs, unless somebody may still use it."""
    for folder in cache.glob(f"{name}-" + "[0-9a-f]" * _DIGITS):
        if folder.stat().st_mtime < time.time() - _KEEP_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
