"""`logstats verify`: compare the statistics with what the log objects have contributed."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from local.commands.database import DatabaseUrlOption, open_engine
from local.display import visible
from processor.ledger.verify import Difference, check

_MOST_LISTED = 1_000


def verify(
    database_url: DatabaseUrlOption = None,
    *,
    mend: Annotated[
        bool, typer.Option("--mend", help="Write the rows of customers that differ anew, and compare again.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print all as one line of JSON.")] = False,
) -> None:
    """Compare the statistics with what the log objects contributed.

    Status 0 when they agree, 1 when they do not. Ingests may go on meanwhile.
    """
    listed: list[dict[str, str]] = []

    def tell(difference: Difference) -> None:
        if not as_json:
            typer.echo(visible(str(difference)))
        elif len(listed) < _MOST_LISTED:
            listed.append({name: str(value) for name, value in asdict(difference).items() if value})

    with open_engine(database_url) as engine:
        verdict = check(engine, tell, mending=mend)
    typer.echo(json.dumps({**asdict(verdict), "listed": listed}) if as_json else str(verdict))
    raise typer.Exit(1 if verdict.differences else 0)
