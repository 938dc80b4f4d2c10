"""Share what the commands that ingest have in common: which sources they name, how these are read, and how they tell what came of each."""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import ValidationError

from local import pipes
from local.commands.folder import LOCAL_FOLDER
from local.display import visible
from local.errors import UserError
from logstats.settings import load
from processor.bulk import Result
from processor.ledger.change import IntegrityError
from processor.ledger.delivery import Outcome
from processor.reading.objects import SourceError, s3_location
from processor.reading.rules import FormatRule
from processor.reading.s3 import S3Object
from processor.settings import ProcessorSettings
from processor.sources import Source, broken, file_source, files_of, is_pattern, object_source, objects_under

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_SHOWN = 80
"""Characters of the first line of what is not recognised."""


def settings_of(read_as: str | None, customer: str | None, zone: str | None) -> ProcessorSettings:
    """Return the settings of the environment, with what the options of reading change; a `UserError` if that is wrong."""
    settings = load(ProcessorSettings, rejects_folder=LOCAL_FOLDER / "rejected")
    changes = {"format": read_as, "customer": customer, "zone": zone}
    rules = _rules(settings.log_formats, {key: value for key, value in changes.items() if value is not None})
    return settings.model_copy(update={"log_formats": rules})


def _rules(declared: Sequence[FormatRule], changes: dict[str, str]) -> tuple[FormatRule, ...]:
    """Return the rules with what the options change; a format that they name is that of any object."""
    changed = () if "format" in changes else declared
    try:
        return tuple(
            FormatRule.model_validate(rule.model_dump() | changes) for rule in (*changed, FormatRule())
        )
    except ValidationError as error:
        raise UserError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None


@dataclass(frozen=True, slots=True)
class Naming:
    """How the ledger knows files: by their path or a `name`, and if they are `is_rotated` also by how they begin."""

    name: str | None = None
    is_rotated: bool = False


def is_single(source: str) -> bool:
    """Tell whether a source names one log object."""
    if source.startswith("s3://"):
        return not source.endswith("/")
    return not (os.path.isdir(source) or is_pattern(source))  # noqa: PTH112 - a text that may be no path


def find_all(
    sources: Sequence[str], naming: Naming, ignore: Sequence[str], client: "Callable[[], S3Client]"
) -> Iterator[Source]:
    """Yield the log objects that sources name, each once, and what is wrong with others, in the order of the sources."""
    seen: set[str] = set()
    for source in sources:
        objects = (
            _find_objects(source, client)
            if source.startswith("s3://")
            else _find_files(source, naming, ignore)
        )
        for found in _or_nothing(source, objects):
            if found.name not in seen:
                seen.add(found.name)
                yield found


def _or_nothing(source: str, objects: Iterator[Source]) -> Iterator[Source]:
    """Yield the log objects that one source names; a broken one if there is none."""
    found = None
    for found in objects:
        yield found
    if found is None:
        nothing = "no file matches it" if is_pattern(source) else "there is nothing in it"
        yield broken(source, SourceError(f"{source}: {nothing}"))


def _find_files(source: str, naming: Naming, ignore: Sequence[str]) -> Iterator[Source]:
    if pipes.is_pipe(source):
        yield pipes.pipe_source(source, naming.name, is_rotated=naming.is_rotated)
    else:
        for path in files_of(source, ignore):
            if isinstance(path, SourceError):
                yield broken(source, path)
            else:
                yield file_source(path, naming.name, is_rotated=naming.is_rotated)


def _find_objects(source: str, client: "Callable[[], S3Client]") -> Iterator[Source]:
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    try:
        if bucket and source.endswith("/"):
            yield from objects_under(client(), bucket, prefix)
        elif location := s3_location(source):
            yield object_source(client(), *location, S3Object.head(client(), *location).size)
    except SourceError as error:
        yield broken(source, error)


def problem_of(result: Result) -> str | None:
    """Return what is wrong with a source, in one line; None if it counts, or is no log object."""
    name, summary = result.source.name, result.summary
    if summary is None:
        is_broken = isinstance(result.problem, IntegrityError)
        return (
            f"nothing was changed: {result.problem}; see: logstats verify"
            if is_broken
            else str(result.problem)
        )
    if summary.outcome == Outcome.UNRECOGNISED:
        start = visible(result.context.first_line[: 4 * _SHOWN].decode(errors="backslashreplace"))[:_SHOWN]
        return (
            f'{name}: its format is not recognised, and nothing of it counts; it begins with "{start}";'
            f" name its format with --format, or see: logstats formats try {name}"
        )
    if summary.outcome == Outcome.CONFLICT:
        since = result.context.counts_since
        ways = (
            "if this is another log that begins in the same way: without --rotated, and with a --name of its own"
            if result.context.is_by_beginning
            else "if log files are renamed here: --rotated, so that both count; if it is of another host: --name"
        )
        return (
            f"{name}: another log counts as {summary.source}, with {summary.accepted:,} requests,"
            f" since {since:%Y-%m-%d %H:%M} UTC, and nothing was changed; if this one corrects it: --replace;"
            f" {ways}"
        )
    return None


def line_of(result: Result) -> str:
    """Return what came of one of many sources, in one line."""
    summary = result.summary
    assert summary  # noqa: S101 - it has no problem
    counts = f"{summary.accepted:>12,} requests {summary.rejected:>8,} rejected"
    same = f", the same as {visible(summary.same_content_as)}" if summary.same_content_as else ""
    return f"{summary.outcome:10} {counts}  {visible(result.source.name)}{same}"
