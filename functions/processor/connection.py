"""How a lost connection to PostgreSQL looks."""

import psycopg

_SHUTTING_DOWN = {"57P01", "57P02", "57P03"}  # admin_shutdown, crash_shutdown, cannot_connect_now


def is_lost(error: BaseException) -> bool:
    """Whether an error of SQLAlchemy or psycopg means that the server is out of reach, or the session gone.

    See PostgreSQL's appendix "Error codes"; class 08 is about connections, and libpq's own errors have none.
    """
    cause = getattr(error, "orig", error)
    if not isinstance(cause, psycopg.OperationalError):
        return False
    return cause.sqlstate is None or cause.sqlstate.startswith("08") or cause.sqlstate in _SHUTTING_DOWN
