"""The parameters of each environment: typed, read from the context of `cdk.json`, validated."""

import json
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass

from cdk.api import ApiParameters
from cdk.backfill import BackfillParameters
from cdk.database import AuroraParameters, DatabaseParameters
from cdk.environment import STRICT, Environment
from cdk.existing import ExistingParameters
from cdk.monitoring import MonitoringParameters
from cdk.processor import ProcessorParameters
from cdk.report import ReportParameters
from logstats.settings import MAX_RETENTION_DAYS


class ParametersError(Exception):
    """The context is wrong; the message says where."""


@dataclass(frozen=True, config=STRICT)
class Parameters(Environment):
    """One environment, with the parameters of each construct.

    Attributes
    ----------
    retention_days
        How old the days of a month may get before its statistics are removed for good (docs/decisions/0007); None is for ever.
    seal_days
        How old they may get before the month is sealed: nothing of it can be replaced or withdrawn any more, and it takes less room. None
        is never.
    report
        The morning report; without it there is none.
    """

    database: DatabaseParameters = AuroraParameters()
    processor: ProcessorParameters = ProcessorParameters()
    api: ApiParameters = ApiParameters()
    backfill: BackfillParameters = BackfillParameters()
    monitoring: MonitoringParameters = MonitoringParameters()
    retention_days: Annotated[int, Field(ge=1, le=MAX_RETENTION_DAYS)] | None = None
    seal_days: Annotated[int, Field(ge=1, le=MAX_RETENTION_DAYS)] | None = 35
    report: ReportParameters | None = None

    @model_validator(mode="after")
    def _host_is_local(self) -> "Parameters":
        if (self.architecture == "host" or self.processor.forwarded) and self.environment != "local":
            raise ValueError("architecture=host and processor.forwarded are for the local environment only")
        return self

    @model_validator(mode="after")
    def _data_that_is_kept_is_not_for_everybody(self) -> "Parameters":
        if self.retain_data and self.api.auth == "none":
            raise ValueError('api.auth=none is for environments without data to keep: "retain_data": false')
        return self

    @model_validator(mode="after")
    def _somebody_is_told(self) -> "Parameters":
        if self.retain_data and self.monitoring.email is None:
            raise ValueError('monitoring.email: say who gets the alarms, or "none"')
        return self

    @model_validator(mode="after")
    def _backfill_has_a_network(self) -> "Parameters":
        if self.backfill.enabled and isinstance(self.database, ExistingParameters):
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
        ``backfill``: true or false; ``auth``, ``issuer`` and ``audience``: those of the local cloud's API. On AWS the next
        deployment without them would silently turn them back.

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
    if override and wanted != "local":
        raise ParametersError(
            f"-c {next(iter(override))}: say it in cdk.json, environments.{wanted or 'NAME'}.api, so that the next deployment keeps it"
        )
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
