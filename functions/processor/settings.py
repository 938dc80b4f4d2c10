"""Settings of the ingest: environment variables, read once, typed."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from logstats.domain.breakdown import PARTS, Part
from logstats.domain.route import parse_routes
from logstats.native import Kept, compile_routes
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


def _words(value: object) -> object:
    """Read words between commas, or a JSON list."""
    if not isinstance(value, str) or value.lstrip().startswith("["):
        return _from_json(value)
    return tuple(word.strip() for word in value.split(",") if word.strip())


def known_routes(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Return templates of routes; a `RouteError`, which is a `ValueError`, if one is none."""
    parse_routes(texts)
    return texts


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
    breakdown
        What of a customer's day is broken down: ``slots`` (half-hours), ``routes`` and ``statuses``, with commas between them;
        all by default. Empty: nothing.
    routes
        A JSON list of templates that name routes, such as the paths of an OpenAPI document: ``["/v1/orders/{orderId}"]``.
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
    breakdown: Annotated[tuple[Part, ...], NoDecode, BeforeValidator(_words)] = tuple(PARTS)
    routes: Annotated[
        tuple[str, ...], NoDecode, BeforeValidator(_from_json), AfterValidator(known_routes)
    ] = ()
    rejects_bucket: str | None = None
    rejects_folder: Path = Path(".local/rejected")

    @property
    def kept(self) -> Kept:
        """Return what the kernel keeps of a breakdown."""
        return Kept(
            sum(PARTS[part] for part in set(self.breakdown)), compile_routes(parse_routes(self.routes))
        )
