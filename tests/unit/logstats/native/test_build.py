"""The kernel compiles without warnings, for this machine and for those it is deployed to."""

import struct
import subprocess
from pathlib import Path

import pytest

from logstats.native import build

ELF_MACHINES = {"x86_64": 62, "aarch64": 183}


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_compiles_for_lambda(machine: str, tmp_path: Path) -> None:
    """Lambda's Amazon Linux 2023 has glibc 2.34."""
    output = tmp_path / "kernel.so"
    build.build(output, f"{machine}-linux-gnu.2.34")
    image = output.read_bytes()
    assert image[:4] == b"\x7fELF"
    assert struct.unpack_from("<H", image, 18)[0] == ELF_MACHINES[machine]
    needed = {symbol for symbol in (b"GLIBC_2.35", b"GLIBC_2.36", b"GLIBC_2.38") if symbol in image}
    assert not needed


def test_a_compiler_error_is_raised(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        build.build(tmp_path / "kernel.so", extra=("-DSUB_BUCKET_BITS=oops",))
    assert "oops" in capfd.readouterr().err


def test_every_source_is_compiled() -> None:
    assert sorted(build.SOURCES) == sorted(path.name for path in build.HERE.glob("*.c"))
