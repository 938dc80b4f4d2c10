"""Remove what no code reads, while the image is built: ``python3 prune.py packages FOLDER`` and ``python3 prune.py task FOLDER``.

AWS's base image has no `find`, and none of Python's packages is there yet: this needs the standard library only.
"""

import shutil
import sys
from pathlib import Path

_LEFT_OUT_FOLDERS = {"include", "test", "tests"}
_LEFT_OUT_SUFFIXES = {".c", ".h", ".pxd", ".pyi", ".pyx"}
_SERVICES = {"rds", "s3", "sts"}
"""Those of AWS that the processor uses; botocore brings the models of all."""
_OUR_SUFFIXES = {".pem", ".py", ".so", ".toml"}


def prune_packages(root: Path) -> None:
    """Remove scripts, type stubs, C sources, tests, and botocore's models of other services from installed packages."""
    shutil.rmtree(root / "bin", ignore_errors=True)  # there is none where no package has a script
    for path in sorted(root.rglob("*")):
        if path.is_dir() and (path.name in _LEFT_OUT_FOLDERS or _is_model_of_another_service(path)):
            shutil.rmtree(path)
        elif path.suffix in _LEFT_OUT_SUFFIXES and path.is_file():
            path.unlink()


def _is_model_of_another_service(folder: Path) -> bool:
    return folder.parts[-3:-1] == ("botocore", "data") and folder.name not in _SERVICES


def prune_task(root: Path) -> None:
    """Remove everything of our own but code, its kernel, declarations and certificates; and this script."""
    for path in root.rglob("*"):
        if path.is_file() and (path.suffix not in _OUR_SUFFIXES or path.name == Path(__file__).name):
            path.unlink()


if __name__ == "__main__":
    {"packages": prune_packages, "task": prune_task}[sys.argv[1]](Path(sys.argv[2]))
