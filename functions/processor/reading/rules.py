"""Say which format the log objects under a prefix have: the setting `LOG_FORMATS`, and `formats` in `cdk.json`."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

from logstats import formats
from logstats.domain.format import Format, parse_format

AUTO = "auto"
_ANY = parse_format("""
    layout = "logfmt"
    timestamp = { value = "time", form = "iso8601" }
    customer = { value = "customer" }
    status = { value = "status" }
    request = { target = "target" }
""")
"""It may have a value of any name: a rule whose format is not known yet is wrong only by its part or its zone."""


class FormatRule(BaseModel):
    """The format of the log objects whose keys start with a prefix.

    Attributes
    ----------
    prefix
        Empty for all. Of several that match, the longest counts.
    format
        The name of a preset, a TOML file of one's own, or ``auto``: what the content looks like.
    customer, zone
        Replace those of the format: ``VALUE [PART]``, such as ``@target host[0]``; and an offset such as ``+02:00``.
    declaration
        The text of one's own file, which is read when the rule is made: on AWS there is none. `format` is then only its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    prefix: str = ""
    format: str = AUTO
    customer: str | None = None
    zone: str | None = None
    declaration: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_declaration(cls, values: Any) -> Any:  # noqa: ANN401 - pydantic's
        name = values.get("format") if isinstance(values, dict) else None
        if not isinstance(name, str) or name in (AUTO, *formats.presets()) or values.get("declaration"):
            return values
        stem, _ = formats.load(name)
        return values | {"format": stem, "declaration": Path(name).read_text(encoding="utf-8-sig")}

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.format != AUTO:
            self.load()
        elif self.declaration is not None:
            raise ValueError("a declaration needs a name of its own as its format")
        elif self.customer or self.zone:
            formats.customised(_ANY, self.customer, self.zone)
        return self

    def load(self) -> Format:
        """Return the format; a `FormatError` if there is none of that name, or the declaration is wrong."""
        declared = parse_format(self.declaration) if self.declaration else formats.presets()[self.format]
        return formats.customised(declared, self.customer, self.zone)


def rule_of(rules: Iterable[FormatRule], key: str) -> FormatRule:
    """Return the rule for a key; without one, the content decides."""
    matching = (rule for rule in rules if key.startswith(rule.prefix))
    return max(matching, key=lambda rule: len(rule.prefix), default=FormatRule())
