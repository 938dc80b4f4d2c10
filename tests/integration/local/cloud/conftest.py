"""A running emulator, one per session."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud import emulator as emulator_
from local.cloud.emulator import Emulator


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def emulator_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("emulator")


@pytest.fixture(scope="session")
def emulator(emulator_folder: Path) -> Iterator[Emulator]:
    with emulator_.running(emulator_folder, free_port(), emulator_folder / "logs") as started:
        started.wait_until_healthy()
        yield started
