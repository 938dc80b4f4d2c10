"""The build backend: setuptools, for an editable installation and nothing else.

The local cloud deploys what is in the checkout, and the kernel is compiled there: a wheel could not do without it.
"""

from typing import NoReturn

from setuptools.build_meta import *  # noqa: F403 - all that a build backend has, but for what follows


def build_wheel(*_: object) -> NoReturn:
    """Refuse to build a wheel."""
    raise SystemExit("logstats runs from its checkout, where `make setup` installs it (editable)")


build_sdist = build_wheel
