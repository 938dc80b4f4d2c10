"""Database engines from settings, on psycopg. The API, which must start fast, has its own way: `api.database`."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL

from logstats.settings import DatabaseSettings

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
    url = _url(settings)
    arguments: dict[str, Any] = {
        "connect_timeout": settings.connect_timeout_seconds,
        "options": _session_options(settings),
        **_KEEPALIVES,
    }
    if not _is_local_socket(url):
        arguments["sslmode"] = settings.tls
        if settings.tls == "verify-full":
            arguments["sslrootcert"] = settings.ca_file or "system"
    # Parameters are customers' data, and rejected lines: no error shows them.
    engine = sa.create_engine(
        url, connect_args=arguments, pool_pre_ping=True, hide_parameters=True, **options
    )
    if settings.iam_auth:
        _sign_in_with_iam(engine)
    return engine


def _session_options(settings: DatabaseSettings) -> str:
    limits = {
        "statement_timeout": settings.statement_timeout_seconds,
        "lock_timeout": settings.lock_timeout_seconds,
        "idle_in_transaction_session_timeout": settings.idle_transaction_timeout_seconds,
        "idle_session_timeout": settings.idle_session_timeout_seconds,
    }
    return " ".join(f"-c {name}={round(seconds * 1_000)}" for name, seconds in limits.items())


def _url(settings: DatabaseSettings) -> URL:
    url = sa.make_url(settings.url).set(drivername="postgresql+psycopg")
    return url.difference_update_query(["sslmode"])


def _is_local_socket(url: URL) -> bool:
    host = url.query.get("host", url.host)
    return isinstance(host, str) and host.startswith("/")


def _sign_in_with_iam(engine: sa.Engine) -> None:
    """Give every new connection a fresh token as its password; tokens live for 15 minutes."""

    @sa.event.listens_for(engine, "do_connect")
    def _provide_token(
        _dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]
    ) -> None:
        import boto3  # noqa: PLC0415 - heavy, and only AWS needs it

        parameters["password"] = boto3.client("rds").generate_db_auth_token(
            DBHostname=parameters["host"], Port=parameters.get("port", 5432), DBUsername=parameters["user"]
        )
