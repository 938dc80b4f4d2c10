"""Compile the kernel with the C compiler of the `ziglang` package, for this or another platform.

``python layers/logstats/native/build.py [--target x86_64-linux-gnu.2.34] [--output FILE]``
"""

import argparse
import subprocess
import sys
from pathlib import Path

SOURCES = (
    "aggregate.c",
    "batch.c",
    "breakdown.c",
    "cell.c",
    "counted.c",
    "declared.c",
    "encoding.c",
    "histogram.c",
    "json.c",
    "merge.c",
    "periods.c",
    "program.c",
    "route.c",
    "sums.c",
    "tally.c",
    "text.c",
    "totals.c",
    "values.c",
)
FLAGS = ("-std=c11", "-O3", "-shared", "-fPIC", "-fvisibility=default", "-Wall", "-Wextra", "-Werror", "-s")
HERE = Path(__file__).parent


def library_name(platform: str = sys.platform) -> str:
    """Return the file name of the compiled kernel on a platform (`sys.platform` notation)."""
    return "kernel.dylib" if platform == "darwin" else "kernel.so"


def build(output: Path, target: str | None = None, extra: tuple[str, ...] = ()) -> None:
    """Compile the kernel into a shared library.

    `target` is a Zig target triple such as ``aarch64-linux-gnu.2.34``; by default this machine's. The compiler's messages
    are on stderr.
    """
    command = [sys.executable, "-m", "ziglang", "cc", *FLAGS, *extra]
    if target:
        command += ["-target", target]
    command += [*(str(HERE / source) for source in SOURCES), "-o", str(output)]
    subprocess.run(command, check=True)  # noqa: S603 - our own command line


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--target")
    parser.add_argument("--output", type=Path, default=HERE / library_name())
    arguments = parser.parse_args()
    build(arguments.output, arguments.target)


if __name__ == "__main__":
    main()
