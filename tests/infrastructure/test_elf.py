"""Stripping cuts off symbols, and nothing that the loader needs."""

import ctypes
from pathlib import Path

import pytest

from cdk import elf
from logstats.native.build import build


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_machine(machine: str, tmp_path: Path) -> None:
    build(tmp_path / "kernel.so", f"{machine}-linux-gnu.2.34")
    assert elf.machine(tmp_path / "kernel.so") == machine


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"import os\n" * 10, b"\xcf\xfa\xed\xfe" + b"\0" * 100])
def test_what_is_no_elf_file_stays_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert elf.machine(path) is None
    elf.strip(path)
    assert path.read_bytes() == content


def test_a_stripped_library_still_works(tmp_path: Path) -> None:
    path = tmp_path / "kernel.so"
    build(path)
    if elf.machine(path) is None:
        pytest.skip("this system has no ELF files")
    before = path.stat().st_size
    with path.open("ab") as file:
        file.write(b"\0" * 100_000)  # as debug information would be: after all that is loaded
    elf.strip(path)
    assert path.stat().st_size <= before
    count = ctypes.CDLL(str(path)).batch_count
    assert count(b"no batch", ctypes.c_size_t(8)) == -4
