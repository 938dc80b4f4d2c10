"""logstats serve: the API on this machine."""

import errno
import socket
from contextlib import suppress
from typing import Annotated

import typer

from local import server
from local.commands.database import DatabaseUrlOption, open_database
from local.errors import UserError
from local.termination import stopped_by_exception
from logstats.settings import DatabaseSettings

_BACKLOG = 2048


def serve(
    *,
    host: Annotated[str, typer.Option(metavar="HOST", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8888,
    workers: Annotated[int, typer.Option(metavar="N", min=1, help="Processes that answer.")] = 1,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            show_default=False,
            help="Answer requests to this host too, besides localhost, 127.0.0.1 and [::1]: "
            "a name, *.example.org, or * for all. May be given again.",
        ),
    ] = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Serve the API and the page until Ctrl-C."""
    with (
        stopped_by_exception(),
        suppress(KeyboardInterrupt),
        _listen(host, port) as listener,
        open_database(database_url) as database,
    ):
        _serve(listener, host, workers, database, allowed_host or [])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except (OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
            message = f"Port {port} on {host} is in use; stop what uses it, or choose another with --port."
        else:
            message = f"Cannot listen on {host}, port {port}: {error}"
        raise UserError(message) from None


def _serve(
    listener: socket.socket, host: str, workers: int, database: DatabaseSettings, allowed_hosts: list[str]
) -> None:
    server.set_environment(database, allowed_hosts)
    shown = f"[{host}]" if ":" in host else host
    address = f"http://{shown}:{listener.getsockname()[1]}"
    typer.echo(f"{address}/customers/CUSTOMER/stats?from=YYYY-MM-DD\n{address}/docs\nCtrl-C stops.", err=True)
    server.run(listener, workers)
