"""The environment that every construct knows; each construct has its own parameters beside it."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", strict=True)
"""Of all parameters: unknown names and other types are errors."""

Architecture = Literal["x86_64", "arm64", "host"]
"""Of functions and layers; ``host`` is this machine and its interpreter, for the local cloud."""

LogRetention = Literal[
    "one_day", "one_week", "two_weeks", "one_month", "three_months", "six_months", "one_year"
]


@dataclass(frozen=True, config=STRICT)
class Environment:
    """Hold what the constructs of one environment have in common.

    Attributes
    ----------
    environment
        Its name.
    retain_data
        Whether buckets and database outlive the stack.
    log_retention
        Of all CloudWatch logs.
    log_objects_days, rejected_lines_days
        How long log objects and their rejected lines are kept; None is for ever. What has expired goes on counting.
        Undeliverable messages are kept as long as rejected lines, and at least as long as dead letters.
    """

    environment: Annotated[str, Field(pattern="^[a-z][a-z0-9]{0,15}$")]
    architecture: Architecture = "arm64"
    retain_data: bool = True
    log_retention: LogRetention = "three_months"
    log_objects_days: Annotated[int, Field(ge=1)] | None = None
    rejected_lines_days: Annotated[int, Field(ge=14)] | None = 90
