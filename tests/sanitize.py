"""Run the kernel's tests on a kernel compiled with sanitizers, then those marked `kernel` (`make test-kernel`).

AddressSanitizer and UndefinedBehaviorSanitizer come with the system's C compiler (`CC`, or `cc`), on Linux. Without
one that has them, the `ziglang` package's UndefinedBehaviorSanitizer is used alone, and this is said.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from logstats.native import build

ROOT = Path(__file__).parents[1]
SANITIZED = ROOT / "build" / "sanitized"
TESTS = ("tests/unit/logstats/native", "tests/unit/logstats/domain")
NOT_FOR_SANITIZERS = "not leaks"  # freed memory is kept for a while
FLAGS = (
    "-std=c11",
    "-O1",
    "-g",
    "-shared",
    "-fPIC",
    "-fno-omit-frame-pointer",
    "-fno-sanitize-recover=undefined",
)


def compile_with_system_compiler(output: Path) -> dict[str, str] | None:
    """Compile with both sanitizers; return the environment that loads their runtime, or None."""
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if sys.platform != "linux" or compiler is None:
        return None
    sources = [str(build.HERE / source) for source in build.SOURCES]
    command = [compiler, *FLAGS, "-fsanitize=address,undefined", *sources, "-o", str(output)]
    if subprocess.run(command, check=False).returncode:
        return None
    found = subprocess.run(
        [compiler, "-print-file-name=libasan.so"], capture_output=True, check=True, text=True
    )
    return {"LD_PRELOAD": found.stdout.strip(), "ASAN_OPTIONS": "detect_leaks=0", "PYTHONMALLOC": "malloc"}


def main() -> int:
    """Compile, then run the tests in a process that imports the sanitized package."""
    package = SANITIZED / "logstats"
    shutil.rmtree(SANITIZED, ignore_errors=True)
    shutil.copytree(
        ROOT / "layers" / "logstats", package, ignore=shutil.ignore_patterns("*.so", "*.dylib", "__pycache__")
    )
    kernel = package / "native" / build.library_name()
    environment = compile_with_system_compiler(kernel)
    if environment is None:
        print("No system compiler with AddressSanitizer: only undefined behaviour is looked for.", flush=True)
        zig = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-fsanitize=undefined"]
        subprocess.run([*zig, *(build.HERE / source for source in build.SOURCES), "-o", kernel], check=True)
        environment = {}
    else:
        print("AddressSanitizer and UndefinedBehaviorSanitizer", flush=True)
    environment = (
        os.environ | environment | {"PYTHONPATH": str(SANITIZED), "UBSAN_OPTIONS": "print_stacktrace=1"}
    )
    where = "import logstats.native as n, sys; sys.exit(not n.__file__.startswith(sys.argv[1]))"
    subprocess.run([sys.executable, "-c", where, SANITIZED], env=environment, check=True)
    pytest = [sys.executable, "-m", "pytest", "-q", *sys.argv[1:]]
    done = subprocess.run([*pytest, "-k", NOT_FOR_SANITIZERS, *TESTS], env=environment, cwd=ROOT, check=False)
    return (
        done.returncode
        or subprocess.run([*pytest, "-m", "kernel", TESTS[0]], cwd=ROOT, check=False).returncode
    )


if __name__ == "__main__":
    sys.exit(main())
