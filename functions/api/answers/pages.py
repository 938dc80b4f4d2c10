"""Pages of rows in an order, and the cursors between them: what comes after a row needs no memory of the page.

A page after a cursor has what comes after it in the order as it is then. So a customer whose key has not changed between two
pages is on one of them, and on one only, whatever is ingested meanwhile; one whose key has changed may be on both or on none.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from api.answers.representation import FRACTIONS

Row = dict[str, Any]
Key = float | str | None
"""Orders a customer."""
Rank = tuple[str, Key]
"""A customer and its key."""

_FORM = re.compile(r"(-?[0-9.e+-]{1,30})?:(.{1,255})", re.DOTALL)
_LARGEST = 1 << 63


@dataclass(frozen=True, slots=True)
class Order:
    """The field that customers are ordered by, and the direction. Nulls are last in both, ties in the order of the ids."""

    field: str
    descending: bool

    @classmethod
    def parse(cls, text: str) -> "Order":
        """Read a field's name, with ``-`` before it for descending."""
        return cls(text.removeprefix("-"), text.startswith("-"))

    def place(self, rank: Rank) -> tuple[bool, Any, bytes]:
        """Return a key for Python's `sorted`, of a rank whose key is a number or None."""
        customer_id, key = rank
        assert not isinstance(key, str)  # noqa: S101 - ids are ordered by PostgreSQL
        return key is None, -(key or 0) if self.descending else key or 0, customer_id.encode()


class Cursor(NamedTuple):
    """The last customer of a page and the key that it is ordered by, which its own id is where ids are the order."""

    key: float | str | None
    customer_id: str

    def write(self) -> str:
        """Return the cursor as a text: the key, if it is a number, a colon, and the id."""
        shown = "" if self.key is None or isinstance(self.key, str) else repr(self.key)
        return f"{shown}:{self.customer_id}"


def parse(text: str, field: str) -> Cursor:
    """Read a cursor of an order by a field; a `ValueError` if it is none."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("Input should be the `next` of an answer")
    key, customer_id = match.groups()
    if field == "customer_id":
        return Cursor(customer_id, customer_id)
    if key is None:
        return Cursor(None, customer_id)
    try:
        number = float(key) if field in FRACTIONS else int(key)
    except ValueError:
        number = _LARGEST
    if not -_LARGEST < number < _LARGEST:
        raise ValueError("Input should be the `next` of an answer")
    return Cursor(number, customer_id)


@dataclass(frozen=True, slots=True)
class Page:
    """At most `limit` rows after a cursor, in an order. Nulls are last, ties in the order of the names."""

    order: Order
    limit: int
    after: Cursor | None = None

    def of(self, rows: Iterable[Row], name: str) -> tuple[list[Row], str | None]:
        """Return the page of rows that a field names, and the cursor of what comes after it, if anything does."""
        by_name = self.order.field == name
        backwards = by_name and self.order.descending

        def place(text: str, key: float | str | None) -> Any:  # noqa: ANN401 - comparable with the others
            return text.encode() if by_name else self.order.place((text, key))

        placed = {place(row[name], _key(row, self.order.field)): row for row in rows}
        places = sorted(placed, reverse=backwards)
        if self.after is not None:
            last = place(self.after.customer_id, self.after.key)
            places = [each for each in places if (each < last if backwards else each > last)]
        kept = [placed[each] for each in places[: self.limit]]
        if len(places) == len(kept):
            return kept, None
        return kept, Cursor(_key(kept[-1], self.order.field), kept[-1][name]).write()


def _key(row: Row, field: str) -> float | str | None:
    """Return what a row is ordered by: the durations that are no means as whole microseconds, as cursors have them."""
    value: float | str | None = row[field]
    if not isinstance(value, float) or field in FRACTIONS:
        return value
    return round(value * 1_000_000)
