"""Say which format the log objects under a prefix have: the setting `LOG_FORMATS`, and `formats` in `cdk.json`."""

from collections.abc import Iterable
from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator

from logstats import formats
from logstats.domain.format import Format, parse_format

AUTO = "auto"


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
        The text of one's own file where there is none, as on AWS; `format` is then only its name.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    prefix: str = ""
    format: str = AUTO
    customer: str | None = None
    zone: str | None = None
    declaration: str | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.format != AUTO:
            self.load()
        elif self.declaration is not None:
            raise ValueError("a declaration needs a name of its own as its format")
        return self

    def load(self) -> Format:
        """Return the format; a `FormatError` if there is none of that name, or the declaration is wrong."""
        declared = (
            formats.load(self.format)[1] if self.declaration is None else parse_format(self.declaration)
        )
        return formats.customised(declared, self.customer, self.zone)

    @property
    def name(self) -> str:
        """The format's name, for the ledger: that of a file without its folder and suffix."""
        return formats.load(self.format)[0] if self.declaration is None else self.format


def rule_of(rules: Iterable[FormatRule], key: str) -> FormatRule:
    """Return the rule for a key; without one, the content decides."""
    matching = (rule for rule in rules if key.startswith(rule.prefix))
    return max(matching, key=lambda rule: len(rule.prefix), default=FormatRule())
