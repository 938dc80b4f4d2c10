"""End connections to PostgreSQL that nobody can wait for any longer."""

import math
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.pq import TransactionStatus

_GRACE_SECONDS = 2.0
"""From the request to cancel a statement to the end of the connection."""
_AGAIN_SECONDS = 0.1


@contextmanager
def cancel_at(engine: sa.Engine, at: float) -> Iterator[sa.Engine]:
    """Yield an engine whose statements and transactions end in time, whatever they wait for.

    What runs then (`at` is on the clock of `time.monotonic()`) is cancelled, as PostgreSQL's `statement_timeout` would,
    which only knows single statements. What still runs two seconds later (a COMMIT cannot be cancelled) loses its
    connection, so that the server rolls back, unless it had committed.
    """
    if at == math.inf:
        yield engine
        return
    watched, used, done = engine.execution_options(), list[Any](), Event()

    def note(connection: sa.Connection) -> None:
        used.append(connection.connection.driver_connection)

    def end() -> None:
        if done.wait(max(0.0, at - time.monotonic())):
            return
        for connection in _with(used, TransactionStatus.ACTIVE):
            with suppress(psycopg.Error):
                connection.cancel_safe(timeout=_GRACE_SECONDS / 2)
        pause = _GRACE_SECONDS
        while not done.wait(pause):
            for connection in _with(used, TransactionStatus.ACTIVE, TransactionStatus.INTRANS):
                _cut(connection)
            pause = _AGAIN_SECONDS

    sa.event.listen(watched, "engine_connect", note)
    thread = Thread(target=end, name="deadline", daemon=True)
    thread.start()
    try:
        yield watched
    finally:
        done.set()
        thread.join()


def _with(used: list[Any], *statuses: TransactionStatus) -> list[Any]:
    found = dict.fromkeys(connection for connection in used if connection is not None)
    return [connection for connection in found if connection.info.transaction_status in statuses]


def _cut(connection: Any) -> None:  # noqa: ANN401 - psycopg's, of whatever row type
    """Shut the socket down: whoever reads from it is told so at once; the descriptor stays libpq's."""
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as descriptor:
        descriptor.shutdown(socket.SHUT_RDWR)
