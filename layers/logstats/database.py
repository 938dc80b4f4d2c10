"""Database engines from settings, on psycopg. The API, which must start fast, has its own way: `api.database.reader`."""

import math
from typing import Any

import psycopg
import sqlalchemy as sa

from logstats.address import Address
from logstats.availability import wait_for
from logstats.settings import DatabaseSettings

_SHUTTING_DOWN = {"57P01", "57P02", "57P03"}  # admin_shutdown, crash_shutdown, cannot_connect_now
_KEEPALIVES = {
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


def create_engine(settings: DatabaseSettings, **options: Any) -> sa.Engine:  # noqa: ANN401 - SQLAlchemy's
    """Return an engine on psycopg; `options` go to SQLAlchemy.

    Connections are checked before use: a frozen Lambda may wake up with a dead one.
    """
    address = settings.address
    keywords = address.for_psycopg()
    keywords["connect_timeout"] = keywords.get("connect_timeout", settings.connect_timeout_seconds)
    keywords["options"] = f"{keywords.get('options', '')} {_session_options(settings)}".strip()
    if not address.is_socket:
        keywords["sslmode"] = settings.tls
        if settings.tls == "verify-full":
            keywords["sslrootcert"] = settings.ca_file or "system"
    if "poolclass" not in options:
        options.setdefault("max_overflow", -1)  # an ingest has as many connections as workers, and none waits
    # Parameters are customers' data, and rejected lines: no error shows them.
    engine = sa.create_engine(
        _shown(address),
        connect_args=keywords | _KEEPALIVES,
        pool_pre_ping=True,
        hide_parameters=True,
        **options,
    )
    if settings.iam_auth:
        _sign_in_with_iam(engine)
    return engine


def wait_for_database(engine: sa.Engine, until: float = math.inf) -> None:
    """Wait until a database answers that may be resuming (`logstats.availability`); raise its last error if it does not."""
    wait_for(lambda: engine.connect().close(), is_lost, until)


def is_lost(error: BaseException) -> bool:
    """Tell whether an error of SQLAlchemy or psycopg means that the server is out of reach, or the session gone.

    See PostgreSQL's appendix "Error codes"; class 08 is about connections, and libpq's own errors have none.
    """
    cause = getattr(error, "orig", error)
    if not isinstance(cause, psycopg.OperationalError):
        return False
    return cause.sqlstate is None or cause.sqlstate.startswith("08") or cause.sqlstate in _SHUTTING_DOWN


def _shown(address: Address) -> sa.URL:
    """Return the URL that the engine shows; it connects by the keywords."""
    where = {"query": {"host": address.host}} if address.is_socket else {"host": address.host}
    return sa.URL.create(
        "postgresql+psycopg", address.user, port=address.port, database=address.database, **where
    )


def _session_options(settings: DatabaseSettings) -> str:
    limits = {
        "statement_timeout": settings.statement_timeout_seconds,
        "lock_timeout": settings.lock_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.idle_transaction_timeout_seconds,
        "idle_session_timeout": settings.idle_session_timeout_seconds,
    }
    return " ".join(f"-c {name}={round(seconds * 1_000)}" for name, seconds in limits.items())


def _sign_in_with_iam(engine: sa.Engine) -> None:
    """Give every new connection a fresh token as its password; tokens live for 15 minutes."""

    @sa.event.listens_for(engine, "do_connect")
    def _provide_token(
        _dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]
    ) -> None:
        import boto3  # noqa: PLC0415 - heavy, and only AWS needs it

        parameters["password"] = boto3.client("rds").generate_db_auth_token(
            DBHostname=parameters["host"], Port=parameters["port"], DBUsername=parameters["user"]
        )
