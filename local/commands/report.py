"""logstats report: the morning report."""

import asyncio
import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Annotated, Any, Literal

import typer
from mangum import Mangum

from api.app import create_app
from api.requests.parameters import CalendarDate
from api.settings import ApiSettings
from local.commands.database import DatabaseUrlOption, open_database
from local.commands.values import valid
from local.errors import UserError
from logstats.settings import DatabaseSettings, Objective, load
from report import render
from report.client import AUTHORIZERS, ReportError, content, request
from report.content import Ask, compose


def report(
    *,
    date: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", show_default=False, help="The UTC day, YYYY-MM-DD; without it, yesterday."
        ),
    ] = None,
    objective: Annotated[
        str, typer.Option(metavar="PERCENT", help="List the customers whose uptime is below this.")
    ] = "99.9",
    form: Annotated[
        Literal["text", "markdown", "html"],
        typer.Option("--format", help="Markdown is for a chat, HTML a page that needs no other file."),
    ] = "text",
    database_url: DatabaseUrlOption = None,
) -> None:
    """Print the morning report of a day."""
    day: dt.date = (
        valid("--date", CalendarDate, date)
        if date is not None
        else dt.datetime.now(dt.UTC).date() - dt.timedelta(days=1)
    )
    wanted: Decimal = valid("--objective", Objective, objective)
    try:
        with open_database(database_url) as database, asking(database) as ask:
            document = compose(ask, day, wanted)
    except ReportError as error:
        raise UserError(f"{error}") from None
    typer.echo(render.FORMS[form](document), nl=False)


@contextmanager
def asking(database: DatabaseSettings) -> Iterator[Ask]:
    """Provide what asks the API as the report's function does, but in this process."""
    app = create_app(database, load(ApiSettings, auth="none"))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    adapter = Mangum(app, lifespan="off")
    context: Any = None
    try:
        yield lambda path, query: content(path, adapter(request(path, query, AUTHORIZERS["none"]), context))
    finally:
        loop.run_until_complete(app.state.reader.close())
        asyncio.set_event_loop(None)
        loop.close()
