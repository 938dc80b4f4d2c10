"""Settings of the ingest: environment variables, read once, typed."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from processor.reading.rules import FormatRule

IGNORED_KEYS = ("*/", "*.parquet", "*ELBAccessLogTestFile")
"""Patterns of keys that are no log objects by default: folders, what is stored for queries, and what a load balancer writes to see
whether it may."""

_SECONDS = re.compile(r"[0-9]+(\.[0-9]+)?")


def _seconds_or_iso(value: object) -> object:
    """Read plain numbers as seconds; anything else must be ISO 8601."""
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        try:
            return dt.timedelta(seconds=float(value))
        except OverflowError:
            raise ValueError(f"at most {dt.timedelta.max.days} days are possible") from None
    if isinstance(value, str) and not value.startswith("P"):
        raise ValueError("give a number of seconds or an ISO 8601 duration, such as 0, 86400 or PT1H")
    return value


def _from_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value)
    except ValueError:
        found = None
    if not isinstance(found, list):
        raise ValueError("give a JSON list")  # noqa: TRY004 - pydantic's way to say that a value is wrong
    return tuple(found)


class ProcessorSettings(BaseSettings):
    """Settings of the ingest.

    Attributes
    ----------
    wait_for_system_duration
        How long the event clock waits for out-of-order data before it closes a window: seconds or ISO 8601.
        It bounds memory; late data is merged, so it never changes a result.
    withdraw_removed_objects
        Whether a log object that is deleted from its bucket no longer counts. Objects that a lifecycle rule
        expires go on counting either way.
    log_formats
        A JSON list of which format the log objects under a prefix have (`FormatRule`); for all others the content decides.
    ignore
        A JSON list of patterns: objects whose keys match one (``*`` is any characters, ``/`` too) are no log objects.
    rejects_bucket
        The bucket that keeps rejected lines; without one they are kept in `rejects_folder`.
    """

    model_config = SettingsConfigDict(frozen=True)

    wait_for_system_duration: Annotated[
        dt.timedelta, BeforeValidator(_seconds_or_iso), Field(ge=dt.timedelta(0))
    ] = dt.timedelta.max
    withdraw_removed_objects: bool = False
    log_formats: Annotated[tuple[FormatRule, ...], NoDecode, BeforeValidator(_from_json)] = ()
    ignore: Annotated[tuple[str, ...], NoDecode, BeforeValidator(_from_json)] = IGNORED_KEYS
    rejects_bucket: str | None = None
    rejects_folder: Path = Path(".local/rejected")
