"""Arrays that the kernel has written in PostgreSQL's binary form, as parameters of statements."""

from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg.adapt import Dumper
from psycopg.pq import Format
from sqlalchemy.dialects.postgresql import ARRAY


class _Written(bytes):
    """An array as it is sent."""


class _WrittenDumper(Dumper):
    format = Format.BINARY

    def dump(self, written: Any) -> bytes:  # noqa: ANN401 - psycopg's, any object
        return bytes(written)


psycopg.adapters.register_dumper(_Written, _WrittenDumper)


class _Array(sa.types.TypeDecorator[bytes]):
    """An array of a column's values; the statement says of which type they are."""

    impl = ARRAY
    cache_ok = True

    def bind_processor(self, _dialect: sa.Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy's, a callable
        return _Written


def packed(table: type, column: str) -> sa.BindParameter[bytes]:
    """Return a parameter, under the column's name, that takes an array of its values in PostgreSQL's binary form."""
    return sa.bindparam(column, type_=_Array(getattr(table, column).type))
