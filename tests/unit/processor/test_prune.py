"""Try what the image leaves out; the Docker tests look at the image itself."""

import subprocess
import sys
from pathlib import Path

import pytest

from processor import prune


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("what", "kept", "left_out"),
    [
        (
            "packages",
            {
                "bytewax/__init__.py",
                "bytewax/bytewax.abi3.so",
                "botocore/data/endpoints.json",
                "botocore/data/s3/2006-03-01/service-2.json.gz",
                "botocore/data/rds/x.json",
                "data/ec2/x.json",
                "x.dist-info/METADATA",
            },
            {
                "bin/boto",
                "bytewax/__init__.pyi",
                "a/tests/test_x.py",
                "a/b/test/x.py",
                "sqlalchemy/x.pyx",
                "x/include/x.h",
                "x/x.c",
                "botocore/data/ec2/2016-11-15/service-2.json.gz",
            },
        ),
        (
            "task",
            {
                "processor/handler.py",
                "logstats/rds-ca.pem",
                "logstats/formats/nginx.toml",
                "logstats/native/k.so",
            },
            {
                "processor/Dockerfile",
                "processor/requirements.txt",
                "processor/prune.py",
                "logstats/native/k.c",
                "logstats/native/k.h",
            },
        ),
    ],
)
def test_what_no_code_reads_is_left_out_and_all_else_is_not(
    what: str, kept: set[str], left_out: set[str], tmp_path: Path
) -> None:
    """As the image's builder runs it: with nothing but the standard library."""
    for name in kept | left_out:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    subprocess.run([sys.executable, "-I", "-S", prune.__file__, what, str(tmp_path)], check=True)
    assert files(tmp_path) == kept
