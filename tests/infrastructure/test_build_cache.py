"""What is expensive to make is made once."""

import os
import time
from pathlib import Path

import pytest

from cdk.build_cache import cached


def test_made_once(tmp_path: Path) -> None:
    made = []

    def make(folder: Path) -> None:
        made.append(folder)
        folder.mkdir()

    first = cached(tmp_path, "x", ["a"], make)
    assert cached(tmp_path, "x", ["a"], make) == first
    assert len(made) == 1


def test_inputs_are_told_apart(tmp_path: Path) -> None:
    one = cached(tmp_path, "x", ["ab", "c"], Path.mkdir)
    assert cached(tmp_path, "x", ["a", "bc"], Path.mkdir) != one


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(folder: Path) -> None:
        folder.mkdir()
        raise RuntimeError

    with pytest.raises(RuntimeError):
        cached(tmp_path, "x", [], fail)
    assert list(tmp_path.iterdir()) == []


def test_a_faster_process_wins(tmp_path: Path) -> None:
    def overtaken(folder: Path) -> None:
        folder.mkdir()
        (folder / "mine").touch()
        other = cached(tmp_path, "x", ["a"], Path.mkdir)
        (other / "theirs").touch()

    assert [path.name for path in cached(tmp_path, "x", ["a"], overtaken).iterdir()] == ["theirs"]


def test_what_was_not_asked_for_lately_is_removed(tmp_path: Path) -> None:
    old, used, other = (cached(tmp_path, name, [key], Path.mkdir) for name, key in ("xa", "xb", "ya"))
    for folder in (old, used, other):
        os.utime(folder, (time.time() - 7200,) * 2)
    cached(tmp_path, "x", ["b"], Path.mkdir)
    cached(tmp_path, "x", ["c"], Path.mkdir)
    assert not old.exists()
    assert used.exists()
    assert other.exists()
