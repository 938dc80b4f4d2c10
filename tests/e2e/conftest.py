"""The local cloud with IAM enforced, one per session; and an emulator without anything."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud import cloud, emulator
from local.cloud.emulator import Emulator
from local.cloud.state import State
from local.cloud.synthesis import cloud_assembly
from tests.e2e.enforced import Enforced
from tests.infrastructure.templates import synthesised_here
from tests.integration.local.cloud.conftest import free_port


@pytest.fixture(scope="session")
def enforced(postgres_folder: Path) -> Iterator[Enforced]:
    state = State(postgres_folder / "enforced")
    state.logs.mkdir(parents=True)
    cloud_assembly(context={"auth": "iam"}, synthesise=synthesised_here)
    started = cloud.running(state, (free_port(), free_port()), lambda _: None, enforce_iam=True)
    with started as running:
        yield Enforced(running, state.folder)


@pytest.fixture
def lone_emulator(tmp_path: Path) -> Iterator[Emulator]:
    """An emulator of a test's own, with nothing deployed."""
    with emulator.running(tmp_path, free_port(), tmp_path / "logs") as started:
        started.wait_until_healthy()
        yield started
