"""The `logstats` command line: every command in one place, every error one clear line."""

import errno
import gc
import os
import sys
from contextlib import suppress
from importlib import import_module
from threading import Thread
from typing import Annotated, Any

import typer
from typer.main import get_command

from local.commands.folder import LOCAL_FOLDER
from local.errors import UserError
from local.plain import Command, Group, fail, require_output
from local.termination import stopped_by_exception

COMMANDS = {
    "generate": "Write a random request log; the same options repeat it.",
    "ingest": "Ingest log objects into the daily statistics.",
    "watch": "Ingest the files that are new or have grown, until Ctrl-C.",
    "formats": "Show the formats that can be read, and how a file is read.",
    "top": "Show customers over some days, worst first or in another order.",
    "overview": "Show all customers over some days, against the days before.",
    "export": "Write the statistics of all customers and days of a range.",
    "stats": "Show a customer by day, by hour, by route or by status code.",
    "report": "Print the morning report of a day.",
    "rejects": "Show the lines of a log object that could not be read.",
    "serve": "Serve the API and the page until Ctrl-C.",
    "up": "Run the local cloud until Ctrl-C.",
    "down": "Stop the local cloud.",
    "forget": "Withdraw a log object from the daily statistics.",
    "expire": "Close the months that are too old, or seal them.",
    "redrive": "Deliver the messages of the dead-letter queue again.",
    "verify": "Compare the statistics with what the log objects contributed.",
    "sql": "Show what a query finds in the tables.",
    "migrate": "Create or upgrade the schema of a database.",
}
"""The first line of each command's help. The command itself is the function of that name in `local.commands`."""

_WITHOUT_DATABASE = {"generate", "formats", "up", "down", "redrive"}


class Commands(Group):
    """All commands; the module of one is imported when it is called, and no other."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - Typer's, private
        """Return the command that the arguments name, instead of its line of help."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and command else None, rest


def load(name: str) -> Any:  # noqa: ANN401 - Typer's type is private
    """Import a command, or a group of them.

    What is imported stays until the end: the garbage collector need not look at it, which is a fifth of the time that a short
    command takes.
    """
    gc.disable()
    found = getattr(import_module(f"local.commands.{name}"), name)
    gc.freeze()
    gc.enable()
    if isinstance(found, typer.Typer):
        return get_command(found)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    alone.command(name, cls=Command)(found)
    return get_command(alone)


def _start_database_early(arguments: list[str]) -> None:
    """Start the embedded PostgreSQL while a command is imported, if it has data, and it seems that it will be asked for.

    If it then is not, it is stopped when the process ends.
    """
    asks = bool(arguments) and arguments[0] in COMMANDS.keys() - _WITHOUT_DATABASE
    names = {argument.partition("=")[0] for argument in arguments} & {"--database-url", "--help"}
    has_data = (LOCAL_FOLDER / "postgres" / "PG_VERSION").exists()
    if asks and not names and has_data and "DATABASE_URL" not in os.environ:
        Thread(target=_start_database).start()


def _start_database() -> None:
    from local import postgres  # noqa: PLC0415 - most of what the start waits for

    with suppress(Exception):  # the command that asks for it will see the same, and say it
        postgres.start(LOCAL_FOLDER / "postgres")


app = typer.Typer(
    name="logstats",
    cls=Commands,
    help="Daily statistics per customer from API request logs.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def options(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Daily statistics per customer from API request logs."""
    if version:
        from importlib.metadata import version as installed  # noqa: PLC0415 - rarely asked for

        typer.echo(f"logstats {installed('logstats')}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


for _name, _help in COMMANDS.items():
    app.command(_name, help=_help)(lambda: None)


def main() -> None:
    """Run the command line; `LOGSTATS_TRACEBACK=1` shows where an unexpected error came from."""
    require_output()
    try:
        with stopped_by_exception():
            _start_database_early(sys.argv[1:])
            app()
    except KeyboardInterrupt:
        sys.exit(130)
    except UserError as error:
        fail(str(error), error.status)
    except UnicodeEncodeError as error:
        fail(f"{error.object!a} is not valid UTF-8")
    except Exception as error:
        from logstats.settings import SettingsError  # noqa: PLC0415 - slow to import, and rarely raised

        if isinstance(error, SettingsError):
            fail(str(error))
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            fail(f"{error.filename or 'stdout, or a temporary file'}: {error.strerror}")
        if os.environ.get("LOGSTATS_TRACEBACK"):
            raise
        fail(f"unexpected {type(error).__name__}: {error} (LOGSTATS_TRACEBACK=1 shows where)")
