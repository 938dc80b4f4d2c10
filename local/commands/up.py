"""logstats up: the local cloud, until Ctrl-C."""

import datetime as dt
import json
import shlex
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import sqlalchemy as sa
import typer
from botocore.exceptions import BotoCoreError
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cdk import outputs
from local.cloud import cloud as cloud_
from local.cloud.cloud import Checks, Cloud
from local.cloud.emulator import ACCESS_KEY, REGION, SECRET_KEY
from local.cloud.issuer import LIFETIME_HOURS, Issuer
from local.cloud.state import State
from local.cloud.uploads import Failures, deliver_missed, upload
from local.commands.folder import LOCAL_FOLDER, StateOption
from local.display import visible
from local.errors import UserError
from local.termination import stopped_by_exception
from logstats.models import DailyStatistics

_FAVOURITE = "cust_1"
_COLUMNS = {
    "date": "day (UTC)",
    "total_requests": "requests",
    "uptime_percentage": "uptime %",
    "duration_mean": "mean s",
    "duration_p50": "p50 s",
    "duration_p99": "p99 s",
    "duration_max": "max s",
}


def up(
    *,
    upload_file: Annotated[
        Path | None,
        typer.Option("--upload", metavar="FILE", help="A log to upload first.", dir_okay=False, exists=True),
    ] = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="LOGSTATS_API_PORT", help="The API's port.")
    ] = 8888,
    emulator_port: Annotated[
        int, typer.Option(min=1, max=65535, envvar="LOGSTATS_EMULATOR_PORT", help="The emulated AWS's port.")
    ] = 4566,
    enforce_iam: Annotated[
        bool,
        typer.Option("--enforce-iam", help="Evaluate policies and verify signatures, as AWS does; with TLS."),
    ] = False,
    tokens: Annotated[
        bool,
        typer.Option("--tokens", help="The API takes tokens (auth=jwt), of an issuer that runs here too."),
    ] = False,
    state: StateOption = LOCAL_FOLDER,
) -> None:
    """Run the local cloud until Ctrl-C: the AWS stack on an emulator, with the embedded PostgreSQL."""
    here = State(state.resolve())
    with (
        stopped_by_exception(),
        here.owned(),
        _progress() as report,
        cloud_.running(
            here, emulator_port, port, report, Checks(enforce_iam=enforce_iam, tokens=tokens)
        ) as cloud,
    ):
        missed = deliver_missed(cloud)
        ingested = _upload(cloud, upload_file, report) if upload_file else None
        report(None)
        typer.echo(_page(cloud))
        if missed:
            typer.echo(f"Left by the last run, and now delivered: {visible(', '.join(missed))}")
        if ingested:
            typer.echo(visible(ingested))
        with suppress(KeyboardInterrupt):
            _show(cloud, here)
            _serve(cloud, here)
        report("Stopping")


Report = Callable[[str | None], None]


@contextmanager
def _progress() -> Iterator[Report]:
    """Provide a function that shows what happens now, on a terminal; None clears it."""
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("")

        def report(step: str | None) -> None:
            if step is None:
                progress.stop()
                return
            progress.start()
            progress.update(task, description=visible(step))

        yield report


def _upload(cloud: Cloud, file: Path, report: Report) -> str:
    report(f"Uploading {file.name} to s3://{cloud.bucket}, and waiting for its statistics")
    for ingested in upload(cloud, file):
        if ingested:
            rejected = f", {ingested.rejected:,} of them rejected" if ingested.rejected else ""
            return (
                f"{ingested.key}: {ingested.outcome}, {ingested.lines:,} lines{rejected}, "
                f"{ingested.seconds:.1f} s from the upload to the commit"
            )
    raise AssertionError  # pragma: no cover - it yields an answer or raises


@dataclass(frozen=True, slots=True)
class _Example:
    """A customer to show, and the days there are."""

    customer: str
    month_from: dt.date
    week_from: dt.date


def _example(cloud: Cloud) -> _Example | None:
    day = DailyStatistics
    with cloud.engine.connect() as connection:
        customer = connection.scalar(
            sa.select(day.customer_id).order_by(day.customer_id != _FAVOURITE, day.customer_id).limit(1)
        )
        last = connection.scalar(sa.select(sa.func.max(day.date)))
    if customer is None or last is None:
        return None
    return _Example(customer, last - dt.timedelta(days=30), last - dt.timedelta(days=6))


def _show(cloud: Cloud, state: State) -> None:
    """Print one customer's statistics, read through the emulated API Gateway, and where everything is."""
    example = _example(cloud)
    path = "/customers/CUSTOMER/stats?from=YYYY-MM-DD"
    if example:
        customer = f"/customers/{quote(example.customer, safe='')}/stats?from="
        path = f"{customer}{example.month_from}"
        _print_table(example.customer, _get(cloud, f"{customer}{example.week_from}"))
    typer.echo(
        f"{_who_may_call(cloud)}\n\n{_calls(cloud, state, path)}"
        f"  logs           {state.logs}/{{processor,api,migrate,emulator,postgres}}.log\n\n"
        f"Ctrl-C stops it; its data stays in {state.folder}."
    )


def _page(cloud: Cloud) -> str:
    if cloud.issuer:
        return f"The page: {cloud.api_url}/ asks for a token."
    if cloud.enforces_iam:
        return "The page is not served: a browser signs no requests."
    return f"The page: {cloud.api_url}/"


def _who_may_call(cloud: Cloud) -> str:
    if cloud.issuer:
        policies = " IAM policies are evaluated." if cloud.enforces_iam else ""
        return f"The API takes tokens of {cloud.issuer.url} only.{policies}"
    if cloud.enforces_iam:
        return "The local cloud enforces IAM: the API takes signed requests only, and policies are evaluated."
    return "The local cloud runs with auth=none: whoever reaches 127.0.0.1 may call its API."


def _calls(cloud: Cloud, state: State, path: str) -> str:
    """Return how to call what, line by line."""
    endpoint, trusted = cloud.emulator.endpoint, cloud.emulator.ca_bundle
    upload = (
        f"AWS_ACCESS_KEY_ID={ACCESS_KEY} AWS_SECRET_ACCESS_KEY={SECRET_KEY} AWS_DEFAULT_REGION={REGION} "
        f"{_aws()} --endpoint-url {endpoint} s3 cp other.log s3://{cloud.bucket}/"
    )
    upload = f"AWS_CA_BUNDLE={shlex.quote(str(trusted))} {upload}" if trusted else upload
    aws = f"  S3             {endpoint}\n  upload a log   {upload}\n"
    if cloud.issuer:
        token = _write_tokens(cloud.issuer, state.folder / "tokens")
        return (
            f"  API            curl -H \"Authorization: Bearer $(cat '{token}')\" '{cloud.api_url}{path}'\n"
            f"  tokens         {token.parent}/ has one of {_FAVOURITE} too; until Ctrl-C, or {LIFETIME_HOURS} hours\n{aws}"
        )
    if cloud.enforces_iam:
        signed = f"curl --cacert {trusted} --aws-sigv4 aws:amz:{REGION}:execute-api --user {ACCESS_KEY}:{SECRET_KEY}"
        return f"  API Gateway    {signed} '{cloud.outputs[outputs.API_URL]}{path}'\n{aws}"
    return (
        f"  API            {cloud.api_url}{path}\n"
        f"  API Gateway    {endpoint}/_aws/execute-api/{cloud.api_id}/$default{path}\n{aws}"
    )


def _aws() -> str:
    """Return the AWS command line of this environment as a shell takes it, as short as it may be."""
    program = Path(sys.executable).with_name("aws")
    if not program.exists():
        return "aws"
    here = Path.cwd()
    return shlex.quote(str(program.relative_to(here) if program.is_relative_to(here) else program))


def _write_tokens(issuer: Issuer, folder: Path) -> Path:
    """Write a token that reads one customer, and one that reads all; return the file of the latter."""
    folder.mkdir(mode=0o700, exist_ok=True)
    wide = folder / "every_customer"
    for path, token in (
        (wide, issuer.for_every_customer()),
        (folder / _FAVOURITE, issuer.for_customer(_FAVOURITE)),
    ):
        path.touch(mode=0o600)
        path.write_text(token, encoding="ascii")
    return wide


def _get(cloud: Cloud, path: str) -> list[dict[str, Any]]:
    request = urllib.request.Request(cloud.api_url + path, headers=cloud.headers(path))  # noqa: S310 - our own
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=60) as response:
            days: list[dict[str, Any]] = json.load(response)
    except OSError as error:
        raise UserError(f"The API does not answer: {error}") from None
    return days


def _print_table(customer: str, days: list[dict[str, Any]]) -> None:
    table = Table(title=Text(visible(customer)), title_justify="left", box=SIMPLE_HEAD)
    for heading in _COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for day in days:
        table.add_row(*(_cell(day[field]) for field in _COLUMNS))
    console = Console()
    if not console.is_terminal:
        console.width = 100
    console.print(table)


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _serve(cloud: Cloud, state: State) -> None:
    """Serve until interrupted; tell of uploads that fail meanwhile."""
    failures = Failures(cloud)
    while cloud.emulator.child.exit_code is None:
        with suppress(BotoCoreError):  # the emulator ends
            for keys, reason in failures.new():
                told = visible(f"{', '.join(keys)} could not be ingested: {reason}")
                typer.echo(f"{told} (see {state.log('processor')})", err=True)
        time.sleep(0.2)
    raise UserError(f"The emulator has ended unexpectedly; see {state.log('emulator')}")
