"""One local cloud per folder, and its process can be found."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.cloud.state import State
from local.errors import UserError

OWNS = (
    "import sys; from pathlib import Path; from local.cloud.state import State\n"
    "with State(Path(sys.argv[1])).owned():\n"
    "    print('owned', flush=True); sys.stdin.read()\n"
)


@pytest.fixture
def state(tmp_path: Path) -> State:
    return State(tmp_path / "state")


def owner(state: State) -> "subprocess.Popen[bytes]":
    process = subprocess.Popen(
        [sys.executable, "-c", OWNS, str(state.folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"owned\n"
    return process


def test_the_owner_is_known_and_a_second_one_refused(state: State) -> None:
    assert state.owner() is None
    with owner(state) as process:
        known = state.owner()
        assert known is not None
        assert known.pid == process.pid
        with pytest.raises(UserError, match=rf"runs already in .*\(process {process.pid}\).*logstats down"):
            state.owned().__enter__()
    assert state.owner() is None


def test_a_killed_owner_leaves_the_folder_free(state: State) -> None:
    with owner(state) as process:
        process.kill()
    assert state.owner() is None
    with state.owned():
        found = state.owner()
        assert found is not None
        assert found.pid == os.getpid()


def test_another_process_with_the_same_number_is_not_the_owner(state: State) -> None:
    state.folder.mkdir()
    (state.folder / "cloud.json").write_text(json.dumps({"pid": os.getpid(), "created": 1.0}))
    assert state.owner() is None


def test_the_emulator_is_announced_while_it_runs(state: State, tmp_path: Path) -> None:
    assert state.endpoint() is None
    state.folder.mkdir()
    with state.announced("https://127.0.0.1:1", tmp_path / "ca.pem"):
        assert state.endpoint() == ("https://127.0.0.1:1", tmp_path / "ca.pem")
    with state.announced("http://127.0.0.1:1", None):
        assert state.endpoint() == ("http://127.0.0.1:1", None)
    assert state.endpoint() is None
