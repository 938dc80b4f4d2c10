"""Declare how a line becomes a request: the model of a format, from a TOML file.

`docs/formats.md` describes the language. `logstats.domain.reader` is its readable definition; the compiled kernel runs the same
declarations, faster. The whole model is in this module, so that a declaration can be read beside what makes it wrong.
"""

import tomllib
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from logstats.domain.notation import (
    FormatError,
    Part,
    Template,
    parse_part,
    parse_path,
    parse_template,
    parse_zone,
)

Form = Literal["iso8601", "clf", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns"]
Unit = Literal["s", "ms", "us", "ns", "suffix"]
TARGET, PATH = "@target", "@path"
"""Names of what a customer can also be made of: the request's target as written, and the path of it."""


def _templates(value: object) -> object:
    texts = value if isinstance(value, list | tuple) else [value]
    return tuple(_template(text) for text in texts)


def _prefix(value: object) -> object:
    return _template(value, prefix=True)


def _template(value: object, *, prefix: bool = False) -> Template:
    if isinstance(value, Template):
        return value
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no text")  # noqa: TRY004 - pydantic's kind of error
    return parse_template(value, prefix=prefix)


def _as_list(value: object) -> object:
    return tuple(value) if isinstance(value, list) else (value,)


def _as_tuple(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


Name = Annotated[str, Field(min_length=1)]
Names = Annotated[tuple[Name, ...], BeforeValidator(_as_list), Field(min_length=1, max_length=8)]
"""One name, or a list of them."""
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple)]


class _Declared(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, arbitrary_types_allowed=True)


class Timestamp(_Declared):
    """Say when a request was: values joined by a space, their form, and the offset from UTC, in seconds, where they say none."""

    value: Names
    form: Form
    zone: Annotated[int, BeforeValidator(parse_zone)] = 0


class Customer(_Declared):
    """Say whose request it was: the first value that is there, or a part of it."""

    value: Names
    part: Annotated[Part, BeforeValidator(parse_part)] | None = None


class Status(_Declared):
    """Say where the status code is, and what is written where none was sent (an empty text: nothing)."""

    value: Name
    closed: Texts = ()


class Duration(_Declared):
    """Say how long a request took: a sum of values in a unit, or the time from one value to another."""

    value: Names | None = None
    unit: Unit | None = None
    start: Name | None = Field(None, alias="from")
    end: Name | None = Field(None, alias="to")
    form: Form | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        values, moments = (self.value, self.unit), (self.start, self.end, self.form)
        if not (all(values) and not any(moments)) and not (all(moments) and not any(values)):
            raise ValueError("give value and unit, or from, to and form")
        return self


class Request(_Declared):
    """Say what was asked for: ``METHOD target PROTOCOL`` in one value, or method and target apart.

    A line whose path is missing is rejected if a path is `required`.
    """

    value: Name | None = None
    method: Name | None = None
    target: Name | None = None
    required: bool = False

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.value) == bool(self.target) or (self.value and self.method):
            raise ValueError("give value, or target and perhaps method")
        return self


class Format(_Declared):
    """The declaration of a format: how a line is divided, and which of its values say what.

    Attributes
    ----------
    summary
        What reads and writes this, in a few words.
    source
        Where the format is defined.
    skip
        How lines that are no requests start.
    only
        Patterns (``*`` for any characters) of which a value must match one, or the line is no request.
    """

    summary: str = ""
    source: str = ""
    layout: Literal["text", "json", "logfmt", "columns"]
    template: Annotated[tuple[Template, ...], BeforeValidator(_templates)] = ()
    prefix: Annotated[Template, BeforeValidator(_prefix)] | None = None
    separator: Literal["tab", "space"] | None = None
    skip: Texts = ()
    only: dict[Name, Annotated[Texts, Field(min_length=1)]] = Field(default_factory=dict)
    timestamp: Timestamp
    customer: Customer
    status: Status
    duration: Duration | None = None
    request: Request | None = None

    @model_validator(mode="after")
    def _has_what_its_layout_needs(self) -> Self:
        for key, owner in (("template", "text"), ("prefix", "logfmt"), ("separator", "columns")):
            given = bool(getattr(self, key))
            if given and self.layout != owner:
                raise FormatError(f"{key}: only a {owner} layout has one")
            if not given and self.layout == owner and key != "prefix":
                raise FormatError(f"{key}: a {owner} layout needs one")
        if "" in self.skip:
            raise FormatError("skip: an empty text would skip every line")
        return self

    @model_validator(mode="after")
    def _has_the_values_it_names(self) -> Self:
        for key, name in self._keyed_names():
            if name in (TARGET, PATH):
                self._check_address(key, name)
            elif self.layout == "json":
                try:
                    parse_path(name)
                except FormatError as error:
                    raise FormatError(f"{key}: {error}") from None
            elif self.layout == "text" and not any(name in each.names for each in self.template):
                raise FormatError(f"{key}: no template has {{{name}}}")
        return self

    def _check_address(self, key: str, name: str) -> None:
        if key != "customer.value":
            raise FormatError(f"{key}: only a customer can be {name}")
        if self.request is None:
            raise FormatError(f"{key}: {name} needs a [request]")

    def _keyed_names(self) -> list[tuple[str, str]]:
        """Return every value that the declaration names, and the key where."""
        found = [("only", name) for name in self.only]
        found += [("timestamp.value", name) for name in self.timestamp.value]
        found += [("customer.value", name) for name in self.customer.value]
        found.append(("status.value", self.status.value))
        if self.duration:
            found += [("duration.value", name) for name in self.duration.value or ()]
            ends = (("duration.from", self.duration.start), ("duration.to", self.duration.end))
            found += [(key, name) for key, name in ends if name]
        if self.request:
            keys = ("value", "method", "target")
            asked = ((f"request.{key}", getattr(self.request, key)) for key in keys)
            found += [(key, name) for key, name in asked if name]
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The values that a line is asked for, each once, in a fixed order."""
        return tuple(dict.fromkeys(name for _, name in self._keyed_names() if name not in (TARGET, PATH)))


def parse_format(text: str) -> Format:
    """Read a declaration; a `FormatError` if it is wrong."""
    try:
        declared = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"this is not TOML: {error}") from None
    return validate_format(declared)


def validate_format(declared: Mapping[str, Any]) -> Format:
    """Return the format of a declaration's keys; a `FormatError` if one is wrong."""
    try:
        return Format.model_validate(declared)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(step) for step in first["loc"] if not isinstance(step, int))
        said = first["msg"].removeprefix("Value error, ").replace("valid tuple", "list")
        raise FormatError(" ".join((f"{key}: {said}" if key else said).split())) from None
