"""Times of Postgres, which go further than those of Python and of headers: there is infinity, and the year 44 BC.

New ones are refused where they are written (`cdc/bounds`). What was written before is read as the nearest time that
there is, so that one row does not keep everything else of its table from being read.
"""

from abc import abstractmethod
from datetime import UTC, datetime
from functools import cache

import psycopg
from psycopg import DataError
from psycopg.abc import AdaptContext, Buffer
from psycopg.adapt import AdaptersMap, Loader
from psycopg.pq import Format

EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def require_time(name: str, moment: datetime) -> None:
    """Require a time that a header can hold.

    Raises:
        ValueError: it has no time zone, or lies outside the years 1 to 9999 by UTC.
    """
    if moment.utcoffset() is None:
        raise ValueError(f"{name} is {moment}, which has no time zone")
    if in_utc(moment) is None:
        raise ValueError(f"{name} is {moment}, which is not within the years 1 to 9999 by UTC")


def in_utc(moment: datetime) -> datetime | None:
    """Return a time by UTC; None of one that lies outside the years 1 to 9999 there."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        return None


@cache
def reading_nearest() -> AdaptersMap:
    """Return what a connection is to be made with, so that it reads times that Python does not have as the nearest."""
    adapters = AdaptersMap(psycopg.adapters)
    for loader in (_Text, _Binary):
        adapters.register_loader("timestamptz", loader)
    return adapters


class _Nearest(Loader):
    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        known = psycopg.adapters.get_loader(oid, self.format)
        assert known is not None  # noqa: S101 - psycopg has it
        self._load = known(oid, context).load

    def load(self, data: Buffer) -> datetime:
        try:
            return self._load(data)  # type: ignore[no-any-return]
        except DataError:
            return EARLIEST if self._is_past(bytes(data)) else LATEST

    @abstractmethod
    def _is_past(self, data: bytes) -> bool: ...


class _Text(_Nearest):
    format = Format.TEXT

    def _is_past(self, data: bytes) -> bool:
        return data.startswith(b"-") or data.endswith(b"BC")


class _Binary(_Nearest):
    format = Format.BINARY

    def _is_past(self, data: bytes) -> bool:
        return data[0] >= 0x80  # a negative number
