"""Cursors of pages: where the customer before is in the order, so that what comes after needs no memory of the page.

A page after a cursor has what comes after it in the order as it is then. So a customer whose key has not changed between two
pages is on one of them, and on one only, whatever is ingested meanwhile; one whose key has changed may be on both or on none.
"""

import re
from typing import NamedTuple

from api.ranking import FRACTIONS

_FORM = re.compile(r"(-?[0-9.e+-]{1,30})?:(.{1,255})", re.DOTALL)
_LARGEST = 1 << 63


class Cursor(NamedTuple):
    """The last customer of a page and the key that it is ordered by, which its own id is where ids are the order."""

    key: float | str | None
    customer_id: str

    def write(self) -> str:
        """Return the cursor as a text: the key, if it is a number, a colon, and the id."""
        shown = "" if self.key is None or isinstance(self.key, str) else repr(self.key)
        return f"{shown}:{self.customer_id}"


def parse(text: str, field: str) -> Cursor:
    """Read a cursor of an order by a field.

    Raises
    ------
    ValueError
        If it is none.
    """
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
