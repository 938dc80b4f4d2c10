"""The parameters of each environment: typed, read from the context of `cdk.json`, validated."""

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from logstats.settings import MAX_RETENTION_DAYS

_STRICT = ConfigDict(extra="forbid", strict=True)

Architecture = Literal["x86_64", "arm64", "host"]
"""Of functions and layers; ``host`` is this machine and its interpreter, for the local cloud."""

LogRetention = Literal[
    "one_day", "one_week", "two_weeks", "one_month", "three_months", "six_months", "one_year"
]


class ParametersError(Exception):
    """The context is wrong; the message says where."""


@dataclass(frozen=True, config=_STRICT)
class Aurora:
    """Aurora PostgreSQL Serverless v2 in isolated subnets, reached with IAM authentication.

    Attributes
    ----------
    minimum_acu, maximum_acu
        Aurora capacity units (about 2 GiB of memory each); 0 lets it pause.
    pause_after_seconds
        Idle time before it pauses; only when `minimum_acu` is 0.
    backup_days
        Retention of automatic backups.
    """

    kind: Literal["aurora"] = "aurora"
    minimum_acu: Annotated[float, Field(ge=0, le=256, multiple_of=0.5)] = 0
    maximum_acu: Annotated[float, Field(ge=1, le=256, multiple_of=0.5)] = 8
    pause_after_seconds: Annotated[int, Field(ge=300, le=86_400)] = 300
    backup_days: Annotated[int, Field(ge=1, le=35)] = 14
    deletion_protection: bool = True


@dataclass(frozen=True, config=_STRICT)
class Existing:
    """A PostgreSQL that is there already, by the URL in the template parameter `DatabaseUrl`."""

    kind: Literal["existing"]
    tls: Literal["verify-full", "prefer", "disable"] = "verify-full"
    iam_auth: bool = True


@dataclass(frozen=True, config=_STRICT)
class Processor:
    """The ingest.

    Attributes
    ----------
    memory_mib
        Lambda gives one virtual CPU per 1769 MiB, and 3538 MiB are two, which the flow uses; its memory follows
        customers and days, and needs far less.
    timeout_seconds
        Of one log object. At most five minutes, so that a message is invisible for at most half an hour.
    ephemeral_storage_mib
        Of `/tmp`, where nothing is written: the least that Lambda has, which costs nothing.
    maximum_concurrency
        Log objects ingested at once: bounds the connections to the database.
    wait_for_system_duration
        The functions' `WAIT_FOR_SYSTEM_DURATION`; left out when None.
    withdraw_removed_objects
        Whether the deletion of a log object takes it out of the statistics. What a lifecycle rule expires counts on.
    forwarded
        Whether the emulator forwards invocations to the template parameter `ProcessorEndpoint`.
    """

    memory_mib: Annotated[int, Field(ge=512, le=10_240)] = 3538
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 300
    ephemeral_storage_mib: Annotated[int, Field(ge=512, le=10_240)] = 512
    maximum_concurrency: Annotated[int, Field(ge=2, le=1000)] = 10
    wait_for_system_duration: str | None = None
    withdraw_removed_objects: bool = False
    forwarded: bool = False


@dataclass(frozen=True, config=_STRICT)
class Api:
    """The HTTP API and its function.

    Attributes
    ----------
    auth
        Who may call: signed AWS requests (``iam``), bearers of tokens (``jwt``) or anyone (``none``).
    issuer, audience
        Of the tokens; both or neither.
    memory_mib
        1769 MiB come with one virtual CPU, which shortens cold starts; a request needs far less.
    timeout_seconds
        Below API Gateway's own 30 s, so that the function's answer is the one that arrives.
    throttle_rate, throttle_burst
        Requests per second that all callers have together, and how many may come at once.
    maximum_concurrency
        Requests answered at once, each with one connection to the database: reserved, so that no other function of
        the account takes or gets them. None reserves nothing, as accounts must whose quota is below 200.
    """

    auth: Literal["iam", "jwt", "none"] = "iam"
    issuer: str | None = None
    audience: str | None = None
    memory_mib: Annotated[int, Field(ge=256, le=10_240)] = 1769
    timeout_seconds: Annotated[int, Field(ge=1, le=29)] = 29
    throttle_rate: Annotated[int, Field(ge=1)] = 100
    throttle_burst: Annotated[int, Field(ge=1)] = 200
    maximum_concurrency: Annotated[int, Field(ge=1, le=1000)] | None = 50

    @model_validator(mode="after")
    def _tokens_have_an_issuer(self) -> "Api":
        if self.auth == "jwt" and not (self.issuer and self.audience):
            raise ValueError(
                "auth=jwt needs an issuer and an audience: -c auth=jwt -c issuer=URL -c audience=NAME"
            )
        if self.auth != "jwt" and (self.issuer or self.audience):
            raise ValueError("an issuer or audience is only used with auth=jwt")
        if self.issuer and not re.fullmatch(r"https://[^\s/?#]+[^\s?#]*", self.issuer):
            raise ValueError("the issuer must be an https:// URL without query, as its tokens name it")
        return self


@dataclass(frozen=True, config=_STRICT)
class Backfill:
    """A task on Fargate that ingests what is under a prefix; see `cdk.backfill`.

    Attributes
    ----------
    enabled
        Whether it can be started: its endpoints cost money by the hour, whether a task runs or not.
    cpu_units, memory_mib
        1024 units are one virtual CPU; Fargate has a list of the pairs that go together.
    processes
        Of the Bytewax cluster that reads a large object; they share the task's virtual CPUs.
    """

    enabled: bool = False
    cpu_units: Literal[1024, 2048, 4096, 8192, 16384] = 4096
    memory_mib: Annotated[int, Field(ge=2048, le=122_880, multiple_of=1024)] = 8192
    processes: Annotated[int, Field(ge=1, le=16)] = 2


LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


@dataclass(frozen=True, config=_STRICT)
class Monitoring:
    """When to raise an alarm and whom to tell; what to log and to trace.

    Attributes
    ----------
    email
        Gets every alarm, once its owner has confirmed it; more can subscribe to the topic `AlarmTopic`.
    runbook
        Where docs/runbook.md can be read: every alarm's description ends with this and the anchor of its section.
    log_level, debug_sample_rate
        Of our own code; and the share of invocations that log at DEBUG whatever the level is, 0 to 1.
    traces
        Whether the processor and the API are traced: a request in a second and 5 % of the others, by X-Ray's default.
    dashboards
        Whether there are the two dashboards: three US dollars each a month, beyond an account's first three.
    oldest_message_minutes
        How old the oldest waiting message may get. One that failed once waits half an hour, so more than that.
    freshness_minutes
        How long after its upload an object may be visible (the 90th percentile). Reading one takes at most five
        minutes; a single one that came again is no alarm.
    rejected_percent, rejected_lines
        The share of lines that may be rejected in a quarter of an hour, and from how many rejected lines on it
        counts: half of a file of ten lines is a typing error, 5 % of a day are a change of format.
    duration_percent
        Of the function's timeout that an ingest may take. What takes longer soon fails, and must be backfilled.
    server_errors
        How many answers of the API may be 5xx in five minutes: while Aurora resumes, a few are.
    latency_seconds
        What the 99th percentile of the API may take, a quarter of an hour long: longer than a cold start, which with
        few requests is the 99th percentile.
    capacity_percent
        Of the database's `maximum_acu` that may be used, a quarter of an hour long.
    """

    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+$")] | None = None
    runbook: Annotated[str, Field(pattern=r"^[^#\s]+$", max_length=200)] = "docs/runbook.md"
    log_level: LogLevel = "INFO"
    debug_sample_rate: Annotated[float, Field(ge=0, le=1)] = 0
    traces: bool = True
    dashboards: bool = True
    oldest_message_minutes: Annotated[int, Field(ge=1, le=20_160)] = 60
    freshness_minutes: Annotated[int, Field(ge=1, le=20_160)] = 10
    rejected_percent: Annotated[float, Field(gt=0, lt=100)] = 5
    rejected_lines: Annotated[int, Field(ge=1)] = 100
    duration_percent: Annotated[int, Field(ge=1, le=99)] = 80
    server_errors: Annotated[int, Field(ge=0)] = 10
    latency_seconds: Annotated[float, Field(gt=0, le=29)] = 3
    capacity_percent: Annotated[int, Field(ge=1, le=99)] = 90


@dataclass(frozen=True, config=_STRICT)
class Parameters:
    """One environment.

    Attributes
    ----------
    retain_data
        Whether buckets and database outlive the stack.
    log_retention
        Of all CloudWatch logs.
    log_objects_days, rejected_lines_days
        How long log objects and their rejected lines are kept; None is for ever. What has expired goes on counting.
    retention_days
        How old a day may get before its statistics are removed for good (docs/decisions/0007); None is for ever.
    """

    environment: Annotated[str, Field(pattern="^[a-z][a-z0-9]{0,15}$")]
    architecture: Architecture = "arm64"
    database: Annotated[Aurora | Existing, Field(discriminator="kind")] = Aurora()
    processor: Processor = Processor()
    api: Api = Api()
    backfill: Backfill = Backfill()
    monitoring: Monitoring = Monitoring()
    retain_data: bool = True
    log_retention: LogRetention = "three_months"
    log_objects_days: Annotated[int, Field(ge=1)] | None = None
    rejected_lines_days: Annotated[int, Field(ge=1)] | None = 90
    retention_days: Annotated[int, Field(ge=1, le=MAX_RETENTION_DAYS)] | None = None

    @model_validator(mode="after")
    def _host_is_local(self) -> "Parameters":
        if (self.architecture == "host" or self.processor.forwarded) and self.environment != "local":
            raise ValueError("architecture=host and processor.forwarded are for the local environment only")
        return self

    @model_validator(mode="after")
    def _backfill_has_a_network(self) -> "Parameters":
        if self.backfill.enabled and isinstance(self.database, Existing):
            raise ValueError(
                "backfill needs the network of an aurora database; elsewhere run logstats ingest"
            )
        return self


_adapter = TypeAdapter(Parameters)


def read(context: Mapping[str, Any]) -> list[Parameters]:
    """Return the environments that a context asks for.

    Parameters
    ----------
    context
        ``environments``: name to parameters; ``environment``: the one wanted, by default all but ``local``;
        ``auth``, ``issuer`` and ``audience``: override those of the API; ``backfill``: true or false.

    Raises
    ------
    ParametersError
        If an environment is unknown or a parameter is wrong.
    """
    environments = context.get("environments")
    if not isinstance(environments, dict) or not environments:
        raise ParametersError("the context has no environments; cdk.json defines them")
    wanted = context.get("environment")
    if wanted is not None and wanted not in environments:
        raise ParametersError(f"environment {wanted!r} is unknown; there are: {', '.join(environments)}")
    names = [wanted] if wanted else [name for name in environments if name != "local"]
    override = {key: context[key] for key in ("auth", "issuer", "audience") if context.get(key) is not None}
    overrides = {"api": override, "backfill": _backfill(context.get("backfill"))}
    return [_validate(name, environments[name], overrides) for name in names]


def _backfill(value: object) -> dict[str, Any]:
    """Read what the command line gives as text, and cdk.json may give as JSON."""
    if value is None:
        return {}
    if value not in (True, False, "true", "false"):
        raise ParametersError(f"-c backfill={value}: give true or false")
    return {"enabled": value in (True, "true")}


def _validate(name: str, values: object, overrides: dict[str, dict[str, Any]]) -> Parameters:
    if not isinstance(values, dict):
        raise ParametersError(f"environments.{name} must be an object")
    for part, override in overrides.items():
        given = values.get(part, {})
        if isinstance(given, dict) and override:
            values = {**values, part: {**given, **override}}
    try:
        return _adapter.validate_json(json.dumps({**values, "environment": name}))
    except ValidationError as error:
        problems = (
            f"{'.'.join(('environments', name, *map(str, problem['loc'])))}: {problem['msg']}"
            for problem in error.errors(include_url=False, include_input=False)
        )
        raise ParametersError("; ".join(problems)) from None
