"""Ask what the API's functions answer, without the API."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from api.breakdown.sums import TooManyBreakdownsError
from api.database.reader import DatabaseUnavailableError, Reader
from api.fleet.histograms import TooManyHistogramsError
from api.settings import ApiSettings
from api.statistics.query import TooManyDaysError
from api.statistics.zones import UnsupportedOffsetError
from local.errors import UserError
from logstats.settings import DatabaseSettings, SettingsError, load

T = TypeVar("T")


def read(settings: DatabaseSettings, read: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Return what is read on a connection on which all statements see the same.

    Raises
    ------
    UserError
        If the database does not answer, or too much is asked.
    """

    async def on_connection(reader: Reader) -> T:
        async with reader.snapshot() as connection:
            return await read(connection)

    return with_reader(settings, on_connection)


def with_reader(settings: DatabaseSettings, work: Callable[[Reader], Awaitable[T]]) -> T:
    """Return what is done with a reader; the rest is as for `read`."""

    async def run() -> T:
        try:
            reader = Reader(settings, load(ApiSettings))
        except SettingsError as error:
            raise UserError(f"{error}.") from None
        try:
            return await work(reader)
        except DatabaseUnavailableError as error:
            raise UserError(f"The database does not answer: {error}") from None
        except TooManyHistogramsError as error:
            raise UserError(
                f"Too many histograms to merge: {error}; choose fewer days, or another order."
            ) from None
        except TooManyBreakdownsError as error:
            raise UserError(f"--to: {error}; choose fewer days.") from None
        except TooManyDaysError as error:
            raise UserError(f"--to: {error}.") from None
        except UnsupportedOffsetError as error:
            raise UserError(f"--tz: {error}.") from None
        finally:
            await reader.close()

    return asyncio.run(run())
