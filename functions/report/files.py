"""The part of the report on log objects: what was committed on the day, and what of it could not be read."""

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from report.document import Line, Section, Verbatim, cut, plural

PAGES = 20
"""Of the ledger, newest commit first, that are looked through for a day's files; each has 1,000."""


def files_section(
    ask: Callable[[str, Mapping[str, str]], Any], ledger: Mapping[str, Any], date: dt.date
) -> Section:
    """Return how many files were committed on a UTC day, and which were not read as a whole: the worst first."""
    heading, rejected, unrecognised = "Files", ledger["rejected"], ledger["unrecognised"]
    lead = (
        f"{plural(ledger['objects'], 'file')} committed on this day: {plural(ledger['lines'], 'line')}, {rejected:,} rejected;"
        f" {plural(unrecognised, 'file')} not recognised."
    )
    if not rejected and not unrecognised:
        return Section(heading, lead)
    files = sorted(
        _unread(ask, date), key=lambda each: (each["outcome"] != "unrecognised", -each["rejected"])
    )
    return Section(heading, lead, cut([_line(each) for each in files]))


def _unread(ask: Callable[[str, Mapping[str, str]], Any], date: dt.date) -> Iterator[Mapping[str, Any]]:
    query = {"limit": "1000"}
    for _ in range(PAGES):
        page = ask("/ingestions", query)
        for each in page["ingestions"]:
            committed = dt.datetime.fromisoformat(each["committed_at"]).astimezone(dt.UTC).date()
            if committed < date:
                return
            if committed == date and (each["rejected"] or each["outcome"] == "unrecognised"):
                yield each
        if page["next"] is None:
            return
        query["after"] = page["next"]


def _line(each: Mapping[str, Any]) -> Line:
    name = each["key"] if each["bucket"] == "file" else f"s3://{each['bucket']}/{each['key']}"
    if each["outcome"] == "unrecognised":
        return Verbatim(name), ": not recognised"
    reasons = ", ".join(sorted(each["rejected_by_reason"]))
    return Verbatim(name), f": {each['rejected']:,} of {plural(each['lines'], 'line')} rejected ({reasons})"
