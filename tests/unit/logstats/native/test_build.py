"""The kernel compiles without warnings, for this machine and for those it is deployed to."""

import platform
import struct
import subprocess
import sys
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


_FREES = """
import psutil, logstats.native
held = [bytearray(b"1") * (20 << 20) for _ in range(2)]
before = psutil.Process().memory_info().rss
while held:
    held.pop()
kept = [bytearray(b"1") * (5 << 20) for _ in range(8)][-1]
print((before - psutil.Process().memory_info().rss) >> 20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators do so by themselves")
def test_large_blocks_go_back_to_the_system() -> None:
    """Of 40 MB all but 5; glibc would keep them, since it has seen such blocks freed."""
    child = subprocess.run([sys.executable, "-c", _FREES], check=True, capture_output=True, text=True)
    assert int(child.stdout) >= 30
