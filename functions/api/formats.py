"""The forms of an answer: JSON, and CSV (RFC 4180)."""

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from api.daily import DailyStatistics, to_json


class Format(StrEnum):
    """How an answer is written."""

    JSON = "json"
    CSV = "csv"


MEDIA_TYPES = {Format.JSON: "application/json", Format.CSV: "text/csv; charset=utf-8; header=present"}

_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


def preferred(accept: str) -> Format:
    """Return the format that an `Accept` header prefers: CSV if it ranks it above JSON (RFC 9110, 12.5.1)."""
    qualities: dict[str, float] = {}
    for element in accept.lower().split(","):
        media_type, *parameters = (part.strip() for part in element.split(";"))
        match = next((found for part in parameters if (found := _QUALITY.fullmatch(part))), None)
        qualities[media_type] = float(match[1]) if match else 1.0

    def quality(*ranges: str) -> float:
        return next((qualities[name] for name in ranges if name in qualities), 0.0)

    wants_csv = quality("text/csv", "text/*", "*/*") > quality("application/json", "application/*", "*/*")
    return Format.CSV if wants_csv else Format.JSON


def write(rows: Iterable[Sequence[Any]], form: Format) -> str:
    """Write rows of `statements.DAILY_STATISTICS`; both formats show the same fields and the same digits."""
    return to_json(rows) if form is Format.JSON else _to_csv(rows)


def _to_csv(rows: Iterable[Sequence[Any]]) -> str:
    """Write a header and a line for each row.

    Customer ids are written as they are: whoever joins by them needs them so. A spreadsheet may take one that
    starts with ``=`` for a formula; docs/api.md says so.
    """
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(DailyStatistics.model_fields)
    for row in json.loads(to_json(rows), parse_float=str):
        writer.writerow(row.values())
    return out.getvalue()


def disposition(customer_id: str, form: Format) -> str:
    """Return a `Content-Disposition` with a file name that is safe everywhere (RFC 6266)."""
    safe = _UNSAFE.sub("_", customer_id)[:100]
    exact = quote(f"{customer_id}.{form}", safe="")
    return f"attachment; filename=\"{safe}.{form}\"; filename*=UTF-8''{exact}"
