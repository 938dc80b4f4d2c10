"""logstats up: the local cloud, until Ctrl-C.

One module, though long: most of it is what is said on the terminal, which must fit together.
"""

import datetime as dt
import json
import shlex
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

import sqlalchemy as sa
import typer
from botocore.exceptions import BotoCoreError
from rich.status import Status
from rich.text import Text

from api.requests.authorisation import ALL_CUSTOMERS_SCOPE
from cdk import outputs
from local.cloud import cloud as cloud_
from local.cloud.cloud import Cloud
from local.cloud.emulator import ACCESS_KEY, REGION, SECRET_KEY
from local.cloud.issuer import LIFETIME_HOURS, Issuer
from local.cloud.state import State
from local.cloud.uploads import Failures, deliver_missed, upload
from local.commands.folder import LOCAL_FOLDER, StateOption
from local.display import progress_console, visible
from local.errors import UserError
from local.tables import FEWER_COLUMNS, print_days
from local.termination import stopped_by_exception
from logstats.models import DailyStatistics

_FAVOURITE = "cust_1"


def up(
    *,
    upload_file: Annotated[
        Path | None,
        typer.Option("--upload", metavar="FILE", help="A log to upload first.", dir_okay=False, exists=True),
    ] = None,
    port: Annotated[
        int,
        typer.Option(metavar="PORT", min=1, max=65535, envvar="LOGSTATS_API_PORT", help="The API's port."),
    ] = 8888,
    emulator_port: Annotated[
        int,
        typer.Option(
            metavar="PORT", min=1, max=65535, envvar="LOGSTATS_EMULATOR_PORT", help="The emulated AWS's port."
        ),
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
    """Run the local cloud until Ctrl-C.

    That is the AWS stack on an emulator, with the embedded PostgreSQL. It keeps what it has ingested.
    """
    here, status = State(state.resolve()), progress_console().status("")
    report = partial(_tell, status)
    with (
        stopped_by_exception(),
        here.owned(),
        status,
        cloud_.running(here, (emulator_port, port), report, enforce_iam=enforce_iam, tokens=tokens) as cloud,
    ):
        missed = deliver_missed(cloud)
        ingested = ""
        if upload_file:
            report(f"Uploading {upload_file.name} to s3://{cloud.bucket}, and waiting for its statistics")
            ingested = upload(cloud, upload_file)
        status.stop()
        typer.echo(_page(cloud))
        if missed:
            typer.echo(f"Left by the last run, and now delivered: {visible(', '.join(missed))}")
        if ingested:
            typer.echo(visible(ingested))
        with suppress(KeyboardInterrupt):
            _show(cloud, here)
            _serve(cloud, here)
        report("Stopping")
        status.start()


def _tell(status: Status, step: str) -> None:
    """Show what happens now, on a terminal."""
    status.update(Text(visible(step)))


def _example(cloud: Cloud) -> tuple[str, dt.date] | None:
    """Return a customer to show, and the last day there is."""
    day = DailyStatistics
    last = sa.select(sa.func.max(day.date)).scalar_subquery()
    favourite_first = (day.customer_id != _FAVOURITE, day.customer_id)
    with cloud.engine.connect() as connection:
        found = connection.execute(
            sa.select(day.customer_id, last).order_by(*favourite_first).limit(1)
        ).first()
    return found.tuple() if found else None


def _show(cloud: Cloud, state: State) -> None:
    """Print one customer's statistics, read through the emulated API Gateway, and where everything is."""
    path = "/customers/CUSTOMER/stats?from=YYYY-MM-DD"
    if example := _example(cloud):
        customer, last = example
        path = f"/customers/{quote(customer, safe='')}/stats?from="
        print_days(customer, json.loads(cloud.get(f"{path}{last - dt.timedelta(days=6)}")), FEWER_COLUMNS)
        path += str(last - dt.timedelta(days=30))
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
        f"{_program('aws')} --endpoint-url {endpoint} s3 cp FILE s3://{cloud.bucket}/"
    )
    upload = f"AWS_CA_BUNDLE={shlex.quote(str(trusted))} {upload}" if trusted else upload
    aws = (
        f"  your own log   {_program('logstats')} ingest FILE, in another terminal; or upload it:\n"
        f"  upload a log   {upload}\n  S3             {endpoint}\n"
    )
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
        f"  API Gateway    {endpoint}/_aws/execute-api/{cloud.outputs[outputs.API_ID]}/$default{path}\n{aws}"
    )


def _program(name: str) -> str:
    """Return a program of this environment as a shell takes it, as short as it may be."""
    program = Path(sys.executable).with_name(name)
    if not program.exists():
        return name
    here = Path.cwd()
    return shlex.quote(str(program.relative_to(here) if program.is_relative_to(here) else program))


def _write_tokens(issuer: Issuer, folder: Path) -> Path:
    """Write a token that reads one customer, and one that reads all; return the file of the latter."""
    folder.mkdir(mode=0o700, exist_ok=True)
    wide = folder / "every_customer"
    tokens = {
        wide: issuer.token(scope=ALL_CUSTOMERS_SCOPE),
        folder / _FAVOURITE: issuer.token(customer_id=_FAVOURITE),
    }
    for path, token in tokens.items():
        path.touch(mode=0o600)
        path.write_text(token, encoding="ascii")
    return wide


def _serve(cloud: Cloud, state: State) -> None:
    """Serve until interrupted; tell of uploads that fail meanwhile."""
    failures = None
    while cloud.emulator.child.exit_code is None:
        with suppress(BotoCoreError):  # the emulator ends
            failures = failures or Failures(cloud)
            for keys, reason in failures.new():
                told = visible(f"{', '.join(keys)} could not be ingested: {reason}")
                typer.echo(f"{told} (see {state.log('processor')})", err=True)
        time.sleep(0.2)
    raise UserError(f"The emulator has ended unexpectedly; see {state.log('emulator')}")
