"""The API under uvicorn, in one process or several."""

import json
import os
import signal
import socket
from multiprocessing import resource_tracker

import uvicorn
from starlette.middleware.trustedhost import TrustedHostMiddleware
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api.app import app_from_environment
from api.settings import ApiSettings
from local.errors import UsageError, UserError
from logstats.settings import DatabaseSettings, SettingsError, load

_POOL_SIZE = 8
_HOSTS = "LOGSTATS_ALLOWED_HOSTS"


def set_environment(database: DatabaseSettings, allowed_hosts: list[str]) -> None:
    """Hand the settings to the app as Lambda does; worker processes inherit them.

    Raises
    ------
    UserError
        If a setting of the API is malformed; a `UsageError` if a host is.
    """
    for name in allowed_hosts:
        if "*" in name.removeprefix("*.") and name != "*":
            raise UsageError(f"--allowed-host {name}: give a name, *.example.org, or *")
    os.environ[_HOSTS] = json.dumps(["localhost", "127.0.0.1", "[::1]", *allowed_hosts])
    os.environ.setdefault("API_POOL_SIZE", str(_POOL_SIZE))
    os.environ["API_AUTH"] = "none"  # no gateway in front; it listens on 127.0.0.1 unless told otherwise
    try:
        load(ApiSettings)
    except SettingsError as error:
        raise UserError(f"{error}.") from None
    os.environ.update(
        DATABASE_URL=database.url, DATABASE_TLS=database.tls, DATABASE_IAM_AUTH=str(database.iam_auth)
    )
    if database.ca_file:
        os.environ["DATABASE_CA_FILE"] = database.ca_file


def app() -> TrustedHostMiddleware:
    """Return the API; it answers only for its own hosts.

    Nobody authenticates its callers. A page of somebody else's may let its own name mean 127.0.0.1 (DNS
    rebinding); then its visitors' browsers would read the API for it, but with that name as the host.
    """
    return TrustedHostMiddleware(app_from_environment(), json.loads(os.environ[_HOSTS]), www_redirect=False)


def run(listener: socket.socket, workers: int) -> None:
    """Serve on a listening socket until a signal ends it; uvloop runs the event loop where there is one."""
    config = uvicorn.Config(
        "local.server:app",
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
        server = uvicorn.Server(config)
        for number in (signal.SIGINT, signal.SIGTERM):  # its own handlers come only once it has started
            signal.signal(number, server.handle_exit)
        server.run(sockets=[listener])
        return
    supervisor = _Workers(config, [listener])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise UserError("The worker processes do not start; the reason is above.")


class _Workers(Multiprocess):
    """Uvicorn's worker processes, which a closed terminal ends (uvicorn would restart them)."""

    def init_processes(self) -> None:
        """Start the workers deaf to Ctrl-C, which a terminal sends to them too: their parent ends them."""
        resource_tracker.ensure_running()  # now: its start would unblock the signal
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        super().init_processes()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    def handle_hup(self) -> None:
        """End, as after Ctrl-C."""
        self.handle_int()
