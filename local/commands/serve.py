"""logstats serve: the API on this machine."""

import errno
import os
import signal
import socket
from contextlib import suppress
from typing import Annotated

import typer
import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api.settings import ApiSettings
from local.commands.database import DatabaseUrlOption, open_database
from local.errors import UserError
from local.termination import stopped_by_exception
from logstats.settings import DatabaseSettings, SettingsError, load

_POOL_SIZE = 8
_BACKLOG = 2048


def serve(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8888,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer.")] = 1,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Serve the API until Ctrl-C."""
    with (
        stopped_by_exception(),
        suppress(KeyboardInterrupt),
        _listen(host, port) as listener,
        open_database(database_url) as database,
    ):
        _set_environment(database)
        shown = f"[{host}]" if ":" in host else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        typer.echo(
            f"{address}/customers/CUSTOMER/stats?from=YYYY-MM-DD\n{address}/docs\nCtrl-C stops.", err=True
        )
        _run(listener, workers)


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


def _set_environment(database: DatabaseSettings) -> None:
    """Hand the settings to the app as Lambda does; worker processes inherit them."""
    os.environ.setdefault("API_POOL_SIZE", str(_POOL_SIZE))
    try:
        load(ApiSettings)
    except SettingsError as error:
        raise UserError(f"{error}.") from None
    os.environ.update(
        DATABASE_URL=database.url, DATABASE_TLS=database.tls, DATABASE_IAM_AUTH=str(database.iam_auth)
    )
    if database.ca_file:
        os.environ["DATABASE_CA_FILE"] = database.ca_file


def _run(listener: socket.socket, workers: int) -> None:
    config = uvicorn.Config(
        "api.app:app_from_environment",
        factory=True,
        workers=workers,
        http="httptools",
        lifespan="on",
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
        return
    supervisor = _Workers(config, [listener])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise UserError("The worker processes do not start; the reason is above.")


class _Workers(Multiprocess):
    """Uvicorn's worker processes, which a closed terminal ends (uvicorn would restart them)."""

    def init_processes(self) -> None:
        """Start the workers deaf to Ctrl-C until they serve: their parent hears it."""
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        super().init_processes()
        signal.signal(signal.SIGINT, before)

    def handle_hup(self) -> None:
        """End, as after Ctrl-C."""
        self.handle_int()
