"""Declare how a line becomes a request: the model of a format, from a TOML file.

`docs/formats.md` describes the language. `logstats.domain.reader` is its readable definition; the compiled kernel runs the same
declarations, faster.
"""

import re
import tomllib
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

Form = Literal["iso8601", "clf", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns"]
Unit = Literal["s", "ms", "us", "ns", "suffix"]
TARGET, PATH = "@target", "@path"
"""What a customer can also be made of: the request's target as written, and the path of it."""
_REST = "{…}"
_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[{}]")
_PART = re.compile(
    r"(?P<kind>host|path)(?:\[(?P<index>-?[0-9]{1,4})\])?"
    r"|query\.(?P<name>[^&=#\s]+)|split\((?P<separator>.)\)\[(?P<piece>-?[0-9]{1,4})\]"
)
_ZONE = re.compile(r"(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9])")
_SEGMENT = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<key>[^."\[\]]+))(?P<indices>(?:\[[0-9]{1,4}\])*)')


class FormatError(ValueError):
    """A declaration is wrong; the message is one line that names the key."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A value in a template: its name (None: read and forgotten), whether quotes stand around it, and the text that follows it.

    Of a quoted one, neither `until` nor the text before has the quotes.
    """

    name: str | None
    quoted: bool
    until: bytes


@dataclass(frozen=True, slots=True)
class Template:
    """A line with holes: the text that it starts with, the holes in their order, and whether anything may follow.

    With `rest`, the text after the last hole, and whatever comes then, may be missing.
    """

    lead: bytes
    holes: tuple[Hole, ...]
    rest: bool
    separator: bytes
    """What the last value may not contain if the line ends with it: the character before it; empty for any."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a value: ``host``, ``label`` and ``path`` by index, ``query`` by name, ``split`` by separator and index."""

    kind: Literal["host", "label", "path", "query", "split"]
    index: int = 0
    text: bytes = b""


def parse_template(text: str, *, prefix: bool = False) -> Template:
    """Read a template; a `FormatError` if it is none. A `prefix` may be followed by anything."""
    texts, names = [""], []
    at = 0
    for token in _TOKEN.finditer(text):
        texts[-1] += text[at : token.start()]
        at = token.end()
        if token[0] in ("{{", "}}"):
            texts[-1] += token[0][0]
        elif not token["name"]:
            raise FormatError(f"{token[0]!r} in {text!r} is no hole; a brace itself is written twice")
        else:
            names.append(token["name"])
            texts.append("")
    texts[-1] += text[at:]
    rest = bool(names) and names[-1] == "…"
    if rest:
        if texts.pop():
            raise FormatError(f"{_REST} may only end a template, not {text!r}")
        names.pop()
    if "…" in names or not names:
        raise FormatError(f"{text!r} has no holes" if not names else f"{_REST} may only end a template")
    quoted = [texts[i].endswith('"') and texts[i + 1].startswith('"') for i in range(len(names))]
    for i, is_quoted in enumerate(quoted):
        if is_quoted:
            texts[i], texts[i + 1] = texts[i][:-1], texts[i + 1][1:]
    for i, name in enumerate(names[:-1]):
        if not texts[i + 1] and not (quoted[i] or prefix):
            raise FormatError(f"nothing stands between {{{name}}} and {{{names[i + 1]}}} in {text!r}")
    if (rest or prefix) and not texts[-1] and not quoted[-1]:
        raise FormatError(f"nothing ends {{{names[-1]}}} in {text!r}")
    named = [name for name in names if name != "_"]
    if twice := next((name for name in named if named.count(name) > 1), None):
        raise FormatError(f"{{{twice}}} stands twice in {text!r}; forget one as {{_}}")
    holes = tuple(
        Hole(None if name == "_" else name, is_quoted, until.encode())
        for name, is_quoted, until in zip(names, quoted, texts[1:], strict=True)
    )
    free = rest or prefix or quoted[-1] or texts[-1]
    return Template(texts[0].encode(), holes, rest, b"" if free else texts[-2][-1:].encode())


def parse_path(name: str) -> tuple[str | int, ...]:
    """Read where a value stands in a JSON document: ``a.list[0]``, ``"a.b".c``; a `FormatError` if it says no such thing."""
    steps: list[str | int] = []
    at = 0
    while found := _SEGMENT.match(name, at):
        steps.append(found["quoted"] or found["key"])
        steps += [int(index) for index in re.findall(r"[0-9]+", found["indices"])]
        at = found.end()
        if at == len(name):
            return tuple(steps)
        if name[at] != ".":
            break
        at += 1
    raise FormatError(f"{name!r} is no path such as a.b or a.list[0]")


def parse_part(text: object) -> Part:
    """Read which part of a value is meant."""
    found = _PART.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"{text!r} is none of host, host[N], path[N], query.NAME, split(C)[N]")
    if found["name"]:
        return Part("query", text=found["name"].encode())
    if found["separator"]:
        return Part("split", int(found["piece"]), found["separator"].encode())
    if found["index"] is None:
        if found["kind"] == "path":
            raise ValueError("path needs the number of a segment: path[0]")
        return Part("host")
    return Part("label" if found["kind"] == "host" else "path", int(found["index"]))


def parse_zone(text: object) -> int:
    """Read an offset such as ``+02:00``, in seconds."""
    found = _ZONE.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"{text!r} is no offset from UTC such as +02:00")
    seconds = int(found["hours"]) * 3600 + int(found["minutes"]) * 60
    return -seconds if found["sign"] == "-" else seconds


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
    """When a request was: values joined by a space, their form, and the offset from UTC, in seconds, where they say none."""

    value: Names
    form: Form
    zone: Annotated[int, BeforeValidator(parse_zone)] = 0


class Customer(_Declared):
    """Whose request it was: the first value that is there, or a part of it."""

    value: Names
    part: Annotated[Part, BeforeValidator(parse_part)] | None = None


class Status(_Declared):
    """The status code, and what is written where none was sent (an empty text: nothing)."""

    value: Name
    closed: Texts = ()


class Duration(_Declared):
    """How long a request took: a sum of values in a unit, or the time from one value to another."""

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
    """What was asked for: ``METHOD target PROTOCOL`` in one value, or method and target apart.

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
    template: Annotated[tuple[Template, ...], BeforeValidator(lambda value: _templates(value))] = ()
    prefix: Annotated[Template, BeforeValidator(lambda value: _prefix(value))] | None = None
    separator: Literal["tab", "space"] | None = None
    skip: Texts = ()
    only: dict[Name, Annotated[Texts, Field(min_length=1)]] = Field(default_factory=dict)
    timestamp: Timestamp
    customer: Customer
    status: Status
    duration: Duration | None = None
    request: Request | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key, owner in (("template", "text"), ("prefix", "logfmt"), ("separator", "columns")):
            given = bool(getattr(self, key))
            if given and self.layout != owner:
                raise FormatError(f"{key}: only a {owner} layout has one")
            if not given and self.layout == owner and key != "prefix":
                raise FormatError(f"{key}: a {owner} layout needs one")
        if "" in self.skip:
            raise FormatError("skip: an empty text would skip every line")
        for key, name in self._keyed_names():
            if name in (TARGET, PATH):
                if key != "customer.value":
                    raise FormatError(f"{key}: only a customer can be {name}")
                if self.request is None:
                    raise FormatError(f"{key}: {name} needs a [request]")
            elif self.layout == "json":
                try:
                    parse_path(name)
                except FormatError as error:
                    raise FormatError(f"{key}: {error}") from None
            elif self.layout == "text" and all(
                name not in (hole.name for hole in each.holes) for each in self.template
            ):
                raise FormatError(f"{key}: no template has {{{name}}}")
        return self

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


def _templates(value: object) -> object:
    return tuple(parse_template(each) if isinstance(each, str) else each for each in _listed(value))


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _prefix(value: object) -> object:
    return parse_template(value, prefix=True) if isinstance(value, str) else value


def parse_format(text: str) -> Format:
    """Read a declaration; a `FormatError` if it is wrong."""
    try:
        return Format.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"this is not TOML: {error}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(step) for step in first["loc"] if not isinstance(step, int))
        said = first["msg"].removeprefix("Value error, ")
        raise FormatError(f"{key}: {said}" if key else said) from None
