"""What holds for the repository as a whole."""

import os
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

IGNORED = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()] + [".git"]


def files() -> Iterator[Path]:
    """Every file that Git does not ignore."""
    for folder, folders, names in os.walk(ROOT):
        for found in (folders, names):
            found[:] = sorted(
                name for name in found if not any(fnmatch(name, pattern) for pattern in IGNORED)
            )
        yield from (Path(folder, name) for name in names)


LOCK_FILES = [str(path.relative_to(ROOT)) for path in files() if path.match("*requirements*.txt")]
PINNED = re.compile(r"[a-z0-9][a-z0-9._-]*(\[[a-z0-9,-]+\])?==[0-9][0-9a-z.+!]*( ; [^\\]+)? \\")
HASH = re.compile(r"    --hash=sha256:[0-9a-f]{64}( \\)?")
REGISTRIES = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs|registry\.yarnpkg|proxy\.golang|crates\.io|(extra-)?index-url\b"
    r"|--find-links|--registry\b|jfrog\.io|/simple/",
)


def test_all_lock_files_are_looked_at() -> None:
    assert {
        "requirements-dev.txt",
        "functions/processor/requirements.txt",
        "local/emulator/requirements.txt",
    } <= set(LOCK_FILES)


@pytest.mark.parametrize("name", LOCK_FILES)
def test_trap_19_lock_files_hold_versions_and_hashes_only(name: str) -> None:
    for line in (ROOT / name).read_text().splitlines():
        assert PINNED.fullmatch(line) or HASH.fullmatch(line), line


def test_users_and_contributors_have_the_same_versions() -> None:
    users, contributors = (
        {line for line in (ROOT / name).read_text().splitlines() if "==" in line}
        for name in ("requirements.txt", "requirements-dev.txt")
    )
    assert users < contributors


def test_trap_19_no_file_names_a_registry() -> None:
    for path in files():
        data = path.read_bytes()
        if b"\0" in data or path == Path(__file__):
            continue
        for line in data.decode().splitlines():
            assert not REGISTRIES.search(line), path
