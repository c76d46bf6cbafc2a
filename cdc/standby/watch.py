"""Whether the standby is to be waited for, looked at again and again.

A standby that is lost would hold up every commit, and the connector, for ever. So after a while they go on without it,
and wait again once it has caught up; from the one to the other the mark says that it may lack something.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from enum import Enum, auto
from pathlib import Path
from typing import Annotated

import psycopg
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from cdc import logs, standby
from cdc.database import SyncConnection, connect
from cdc.slot import lsn_number
from cdc.standby import Behind, Standby

LOOK_EVERY_S = 0.5
SETTLED_S = 2.0
"""After which all sessions know that they are to wait; no view of Postgres tells it of them."""

log = logs.FieldLogger("cdc.standby")


class WatchSettings(BaseSettings):
    """What the watch needs to know."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore")

    database_url: Annotated[str, Field(min_length=1, repr=False)]
    # how the primary knows the standby, and its slot
    standby: Annotated[str, Field(min_length=1)]
    standby_behind_file: Path
    standby_look_file: Path
    # how long commits wait for a standby that is gone, in seconds
    standby_patience_s: Annotated[float, Field(gt=0)] = 3.0


class Step(Enum):
    """What is to be done after a look."""

    NOTHING = auto()
    WAIT = auto()
    WAIT_NO_MORE = auto()
    UNMARK = auto()


def step(seen: Standby, gone_s: float, patience_s: float, caught_up_with: int | None) -> Step:
    """Return what is to be done about a standby.

    Args:
        gone_s: For how long it has not been streaming.
        caught_up_with: Where the primary was when commits were first seen to wait for it again, and what was written
            before may be missing; None when nothing is.
    """
    if not seen.is_streaming:
        gone = seen.is_waited_for and gone_s > patience_s
        return Step.WAIT_NO_MORE if gone else Step.NOTHING
    if not seen.is_waited_for:
        return Step.WAIT
    has_it = caught_up_with is not None and lsn_number(seen.flushed_lsn) >= caught_up_with
    return Step.UNMARK if has_it else Step.NOTHING


class Watch:
    """Looks at one standby through its primary."""

    def __init__(
        self,
        name: str,
        behind: Behind,
        patience_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._behind = behind
        self._patience_s = patience_s
        self._clock = clock
        self._streamed_at = self._began_at = clock()
        self._caught_up_with: int | None = None

    def look(self, connection: SyncConnection) -> Step:
        """Look once, and do what is to be done; return what that was."""
        seen = standby.look(connection, self._name)
        if seen.is_streaming:
            self._streamed_at = self._clock()
        gone_s = self._clock() - self._streamed_at
        done = step(seen, gone_s, self._patience_s, self._caught_up_with)
        self._do(done, connection)
        if not (self._behind and seen.is_streaming and seen.is_waited_for and seen.is_synchronous):
            self._began_at = self._clock()
            self._caught_up_with = None
        elif self._caught_up_with is None and self._clock() - self._began_at > SETTLED_S:
            self._caught_up_with = lsn_number(seen.written_lsn)
        return done

    def lost_sight(self) -> None:
        """Begin anew, as the primary cannot be asked: what was seen before says nothing of another one."""
        self._streamed_at = self._began_at = self._clock()
        self._caught_up_with = None

    def _do(self, done: Step, connection: SyncConnection) -> None:
        if done is Step.WAIT_NO_MORE:
            self._behind.mark(datetime.now(UTC).isoformat(timespec="seconds"))
            standby.wait_no_more(connection)
            log.warning("standby is gone; commits go on without it", standby=self._name)
        elif done is Step.WAIT:
            self._behind.mark(datetime.now(UTC).isoformat(timespec="seconds"))
            standby.wait_for(connection, self._name)
            log.info("commits wait for the standby", standby=self._name)
        elif done is Step.UNMARK:
            self._behind.remove()
            log.info("standby has everything", standby=self._name)


def watch(settings: WatchSettings, looked: Callable[[], bool]) -> None:
    """Look until told to stop.

    Args:
        looked: Called after each look; pauses, and tells whether to stop.
    """
    behind = Behind(settings.standby_behind_file)
    watcher = Watch(settings.standby, behind, settings.standby_patience_s)
    stopped = told = False
    while not stopped:
        try:
            with connect(settings.database_url, autocommit=True) as connection:
                watcher.lost_sight()
                told = False
                while not stopped:
                    watcher.look(connection)
                    stopped = looked()
        except psycopg.Error as error:
            if not told:
                log.warning("primary cannot be asked", error=error)
            told = True
            stopped = looked()
