"""The build backend: setuptools, for an editable installation and nothing else.

The local cloud deploys what is in the checkout, and the kernel is compiled there: a wheel could not do without it.
"""

from typing import NoReturn

from setuptools.build_meta import (
    build_editable,
    get_requires_for_build_editable,
    prepare_metadata_for_build_editable,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "prepare_metadata_for_build_editable",
]


def build_wheel(*_: object) -> NoReturn:
    """Refuse to build a wheel."""
    raise SystemExit("logstats runs from its checkout, where `make setup` installs it (editable)")


build_sdist = build_wheel
