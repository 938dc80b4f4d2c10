"""Read and strip ELF files, of any architecture, without binutils.

Source: Tool Interface Standard, Executable and Linking Format, version 1.2; elf(5).
"""

import struct
from pathlib import Path

MACHINES = {62: "x86_64", 183: "aarch64"}
_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little endian
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")


def machine(path: Path) -> str | None:
    """Return the architecture of a file; None if it is no 64-bit ELF file."""
    with path.open("rb") as file:
        header = file.read(_HEADER.size)
    if len(header) < _HEADER.size or not header.startswith(_MAGIC):
        return None
    number: int = _HEADER.unpack(header)[2]
    return MACHINES.get(number, f"machine {number}")


def strip(path: Path) -> None:
    """Cut off symbols and debug information: all that follows what the program headers describe.

    The dynamic loader reads nothing else. Wheels often carry them; `strip` of binutils knows one architecture
    and has to be installed.
    """
    if machine(path) is None:
        return
    data = bytearray(path.read_bytes())
    header = list(_HEADER.unpack_from(data))
    segments, size, count = header[5], header[9], header[10]
    end = segments + size * count
    for index in range(count):
        fields = _SEGMENT.unpack_from(data, segments + index * size)
        end = max(end, fields[2] + fields[5])
    header[6], header[11:] = 0, (0, 0, 0)  # where the sections are, how large, how many, and the one of names
    _HEADER.pack_into(data, 0, *header)
    path.write_bytes(data[:end])
