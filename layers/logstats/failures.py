"""Errors in words that a log may show: what went wrong and where, and nothing of the data.

The text of an exception may quote what somebody has sent: a rejected line in the parameters of a statement, a customer
in PostgreSQL's "Key (customer_id)=(…)", a value that is no number. So only the texts of our own exceptions are shown,
and of those others that are known to name things and not data; of the rest, the type and the lines of code.
"""

import re
import traceback
from collections.abc import Iterator
from json import JSONDecodeError

_OURS = ("api", "logstats", "migrate", "processor")
_HARMLESS = (OSError, ImportError, NameError, AttributeError, MemoryError, JSONDecodeError)
"""They name files, hosts, modules, attributes or positions."""
_HARMLESS_MODULES = (
    "botocore.exceptions",
    "alembic.util.exc",
    "aws_lambda_powertools.utilities.batch.exceptions",
)
_DATA_EXCEPTION = "22"
"""The class of SQLSTATEs whose primary message quotes values, after a colon or in quotation marks (PostgreSQL
documentation, appendix A)."""
_MAX_TEXT = 1_000


def describe(error: BaseException) -> str:
    """Return an error in one line: its type, and its text as far as that shows no data."""
    shown = _database_text(error)
    if shown is None:
        shown = _first_line(str(error)) if _is_harmless(error) else ""
    return f"{type(error).__name__}: {shown[:_MAX_TEXT]}" if shown else type(error).__name__


def trace(error: BaseException) -> str:
    """Return an error's way through the code and its causes, each in one line; the oldest cause comes first."""
    return "\n".join(line for each in reversed(list(_chain(error))) for line in _lines(each))


def _lines(error: BaseException) -> Iterator[str]:
    for frame in traceback.extract_tb(error.__traceback__):
        yield f"{frame.filename}:{frame.lineno} in {frame.name}"
    yield describe(error)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        hidden = following.__suppress_context__
        following = following.__cause__ or (None if hidden else following.__context__)


def _is_harmless(error: BaseException) -> bool:
    module = type(error).__module__
    return (
        module.partition(".")[0] in _OURS
        or isinstance(error, _HARMLESS)
        or module.startswith(_HARMLESS_MODULES)
    )


def _database_text(error: BaseException) -> str | None:
    """Return PostgreSQL's primary message, without the details that follow it; None if the error is not its own.

    SQLAlchemy's errors carry those of the driver, and add the statement with its parameters.
    """
    original = getattr(error, "driver_exception", None) or getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None)
    primary = getattr(getattr(original, "diag", None), "message_primary", None) or getattr(
        original, "message", None
    )
    if state is None:
        # psycopg's, of a connection that could not be made or did not come in time: hosts and reasons.
        is_away = any(
            kind.__module__.startswith("psycopg") and kind.__name__ == "OperationalError"
            for kind in type(original).__mro__
        )
        return _first_line(str(original)) if is_away else None
    text = _first_line(str(primary or ""))
    if str(state).startswith(_DATA_EXCEPTION):
        text = re.split('[:"]', text)[0].strip()
    return f"{text} (SQLSTATE {state})".strip()


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")
