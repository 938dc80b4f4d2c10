"""The `logstats` command line: every command in one place, every error one clear line."""

import os
import re
import sys
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from local.display import visible
from local.errors import UserError

COMMANDS = {
    "generate": "Write a random request log, in random order; the same options give the same bytes.",
    "ingest": "Ingest a log object into the daily statistics.",
    "formats": "Show the formats of logs that can be read, one of them, or how a file is read.",
    "top": "Show customers over some days, worst first or in another order.",
    "overview": "Show all customers together over some days, against the days before.",
    "export": "Write the statistics of every customer and day of a range as CSV.",
    "stats": "Show the daily statistics of a customer.",
    "report": "Print the morning report of a day.",
    "rejects": "Show the rejected lines of a log object: line number, reason, text; the first 10,000 are kept.",
    "serve": "Serve the API until Ctrl-C.",
    "up": "Run the local cloud until Ctrl-C: the AWS stack on an emulator, with the embedded PostgreSQL.",
    "down": "Stop the local cloud that runs in the background, or in another terminal.",
    "forget": "Withdraw a log object from the daily statistics; the object itself stays where it is.",
    "expire": "Close the days that are too old, for good, and remove their statistics.",
    "redrive": "Deliver the messages of the dead-letter queue again, after the cause was fixed.",
    "verify": "Compare daily statistics and customers with the contributions of the log objects that count.",
    "sql": "Show what a query finds; the transaction is read-only. At most 10,000 rows.",
    "migrate": "Create or upgrade the schema of a database; nothing happens when it is up to date.",
}
"""The first line of each command's help. The command itself is the function of that name in `local.commands`."""


class Group(TyperGroup):
    """Import the module of a command when the command is called, and no other."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:  # noqa: ANN401 - Typer's, private
        """Return the command that the arguments name, instead of its line of help."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, load(name) if name and command else None, rest


def load(name: str) -> Any:  # noqa: ANN401 - Typer's type is private
    """Import a command, or a group of them."""
    found = getattr(import_module(f"local.commands.{name}"), name)
    if isinstance(found, typer.Typer):
        return get_command(found)
    alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    alone.command(name)(found)
    return get_command(alone)


app = typer.Typer(
    name="logstats",
    cls=Group,
    help="Daily statistics per customer from API request logs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for _name, _help in COMMANDS.items():
    app.command(_name, help=_help)(lambda: None)


def main() -> None:
    """Run the command line; `LOGSTATS_TRACEBACK=1` shows where an unexpected error came from."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except UserError as error:
        _fail(str(error))
    except Exception as error:
        from logstats.settings import SettingsError  # noqa: PLC0415 - slow to import, and rarely raised

        if isinstance(error, SettingsError):
            _fail(str(error))
        if os.environ.get("LOGSTATS_TRACEBACK"):
            raise
        _fail(f"unexpected {type(error).__name__}: {error} (LOGSTATS_TRACEBACK=1 shows where)")


def _fail(message: str) -> None:
    line = re.sub(r"[ \t\r\n]+", " ", message.strip(" \t\r\n"))
    print(f"logstats: {visible(line)}", file=sys.stderr)
    sys.exit(1)
