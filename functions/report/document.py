"""The report before it has a form: sections of lines, in which texts of users are told apart from ours."""

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 10
"""Lines of a list, before it says how many there are besides."""


class Verbatim(str):
    """A text of users, such as a customer's id: no form takes anything in it for markup."""

    __slots__ = ()


Line = tuple[str, ...]
"""The parts of a line, in their order; those of users are `Verbatim`."""


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, a sentence, and a list of lines; either of the latter may be empty."""

    heading: str
    lead: str
    items: Sequence[Line] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """The report of a day.

    Attributes
    ----------
    summary
        The day in a few words of ASCII, for the subject of an e-mail.
    """

    title: str
    summary: str
    sections: Sequence[Section]


def cut(lines: Sequence[Line], more: int = 0, least: str = "") -> list[Line]:
    """Return the first lines of a list, and one about the rest.

    Parameters
    ----------
    more
        How many there are besides those that are given.
    least
        ``at least ``, where there may be even more.
    """
    shown = list(lines[:SHOWN])
    rest = len(lines) - len(shown) + more
    return [*shown, (f"and {least}{rest:,} more",)] if rest else shown


def plural(number: int, word: str) -> str:
    """Return a number of things, such as `1 file` or `2,000 files`."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"
