"""The environment that every construct knows; each construct has its own parameters beside it."""

import json
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass

from logstats.domain.breakdown import PARTS, Part
from processor.reading.rules import FormatRule
from processor.settings import IGNORED_KEYS, known_routes

STRICT = ConfigDict(extra="forbid", strict=True)
"""Of all parameters: unknown names and other types are errors."""

Architecture = Literal["x86_64", "arm64", "host"]
"""Of functions and layers; ``host`` is this machine and its interpreter, for the local cloud."""

LogRetention = Literal[
    "one_day", "one_week", "two_weeks", "one_month", "three_months", "six_months", "one_year"
]

Source = Literal["alb", "cloudfront", "firehose", "s3"]
"""Services of AWS that write logs into the bucket of log objects (`cdk.deliveries`)."""

_MOST_BYTES = 3_000
"""Of Lambda's 4 KB for all variables of a function (developer guide, "Lambda quotas"), the others need less than a quarter."""


def as_variable(formats: Sequence[FormatRule]) -> str:
    """Return the variable `LOG_FORMATS`."""
    return json.dumps([rule.model_dump(exclude_defaults=True) for rule in formats], ensure_ascii=False)


@dataclass(frozen=True, config=STRICT)
class Environment:
    """Hold what the constructs of one environment have in common.

    Attributes
    ----------
    environment
        Its name.
    architecture
        Of the processor's image, the functions and the layers.
    base_image
        Of the processor's image, in place of the Dockerfile's own: a tag, or ``…@sha256:…``, which never changes.
    retain_data
        Whether buckets and database outlive the stack.
    log_retention
        Of all CloudWatch logs.
    log_objects_days, rejected_lines_days
        How long log objects and their rejected lines are kept; None is for ever. What has expired goes on counting.
        Undeliverable messages are kept as long as rejected lines, and at least as long as dead letters.
    archive_days
        After how many days log objects move to Glacier Instant Retrieval, where keeping costs a sixth, and reading costs
        money; None is never.
    logs_bucket
        The name of an existing bucket of this account and region, whose objects are read in place of those of a bucket of
        the stack's own. The stack changes nothing of it; it must send its events to EventBridge (docs/deploy.md).
    deliveries
        Services of AWS that may write logs into the stack's own bucket.
    formats
        Which format the log objects under a prefix have, as in `LOG_FORMATS`; a file of one's own is read at synthesis.
    ignore
        Patterns of keys that are no log objects, as in `IGNORE`.
    breakdown
        What of a customer's day is broken down, as in `BREAKDOWN`.
    routes
        Templates that name routes, as in `ROUTES`.
    """

    environment: Annotated[str, Field(pattern="^[a-z][a-z0-9]{0,15}$")]
    architecture: Architecture = "arm64"
    base_image: Annotated[str, Field(pattern=r"^[a-z0-9][\w.:/-]*(@sha256:[0-9a-f]{64})?$")] | None = None
    retain_data: bool = True
    log_retention: LogRetention = "three_months"
    log_objects_days: Annotated[int, Field(ge=1)] | None = None
    rejected_lines_days: Annotated[int, Field(ge=14)] | None = 90
    archive_days: Annotated[int, Field(ge=1)] | None = None
    logs_bucket: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] | None = None
    deliveries: tuple[Source, ...] = ()
    formats: tuple[FormatRule, ...] = ()
    ignore: tuple[str, ...] = IGNORED_KEYS
    breakdown: tuple[Part, ...] = tuple(PARTS)
    routes: Annotated[tuple[str, ...], AfterValidator(known_routes)] = ()

    @model_validator(mode="after")
    def _variables_are_small(self) -> Self:
        size = len(as_variable(self.formats).encode()) + len(json.dumps(self.routes))
        if size > _MOST_BYTES:
            raise ValueError(
                f"formats, with the text of their files, and routes have {size:,} bytes, and only {_MOST_BYTES:,} fit into a"
                " function's variables: shorten the files, or name fewer routes"
            )
        return self

    @model_validator(mode="after")
    def _an_existing_bucket_stays_as_it_is(self) -> Self:
        if self.logs_bucket and (self.log_objects_days or self.archive_days or self.deliveries):
            raise ValueError(
                "log_objects_days, archive_days and deliveries change the stack's own bucket; leave them out with logs_bucket,"
                " whose lifecycle and policy are its owner's"
            )
        return self

    @model_validator(mode="after")
    def _log_objects_are_archived_before_they_expire(self) -> Self:
        if self.archive_days and self.log_objects_days and self.archive_days >= self.log_objects_days:
            raise ValueError(
                "log objects expire before they are archived: archive_days must be below log_objects_days"
            )
        return self
