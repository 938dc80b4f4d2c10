"""Wrap functions of MiniStack, none of which has a public name."""

from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any


def wraps(module: ModuleType, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put the decorated function in a module function's place; its first argument is the one that was there."""

    def replace(wrapper: Callable[..., Any]) -> Callable[..., Any]:
        setattr(module, name, partial(wrapper, getattr(module, name)))
        return wrapper

    return replace
