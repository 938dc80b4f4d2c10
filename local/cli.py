"""The `logstats` command line: every command in one place, every error one clear line."""

import os
import sys

import typer

from local.commands.down import down
from local.commands.expire import expire
from local.commands.forget import forget
from local.commands.generate import generate
from local.commands.ingest import ingest
from local.commands.migrate import migrate
from local.commands.redrive import redrive
from local.commands.rejects import rejects
from local.commands.serve import serve
from local.commands.sql import sql
from local.commands.stats import stats
from local.commands.up import up
from local.commands.verify import verify
from local.errors import UserError
from logstats.settings import SettingsError

app = typer.Typer(
    name="logstats",
    help="Daily statistics per customer from API request logs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    generate,
    ingest,
    stats,
    rejects,
    serve,
    up,
    down,
    forget,
    expire,
    redrive,
    verify,
    sql,
    migrate,
):
    app.command()(command)


def main() -> None:
    """Run the command line; `LOGSTATS_TRACEBACK=1` shows where an unexpected error came from."""
    try:
        app()
    except (UserError, SettingsError) as error:
        _fail(str(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        if os.environ.get("LOGSTATS_TRACEBACK"):
            raise
        _fail(f"unexpected {type(error).__name__}: {error} (LOGSTATS_TRACEBACK=1 shows where)")


def _fail(message: str) -> None:
    print("logstats: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(1)
