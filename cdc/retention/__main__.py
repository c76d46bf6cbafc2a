"""Looks after the outboxes again and again: `python -m cdc.retention`."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Annotated

import psycopg
from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cdc import logs
from cdc.database import connect
from cdc.retention.rounds import Day, maintain, remove_answers
from cdc.service import load
from cdc.signals import stop_event

WORDS = 3
RETRY_S = 10.0
"""From a round that failed to the next, in seconds."""
LOOK_S = 60.0
"""How often it is looked whether a round is due."""

log = logs.FieldLogger("cdc.retention")


@dataclass(frozen=True, slots=True)
class LookedAfter:
    """A database with outboxes."""

    publisher: str  # who publishes them, such as `slot:tailrace_outbox`
    schemas: tuple[str, ...]
    url: str = field(repr=False)


def _databases(text: str) -> tuple[LookedAfter, ...]:
    """Read `publisher schema,schema url`, with a bar between several."""
    found = []
    for each in text.split("|"):
        words = each.split()
        if len(words) != WORDS:
            raise ValueError(
                "must say who publishes, which schemas and which URL, of each database"
            )
        publisher, schemas, url = words
        found.append(LookedAfter(publisher, tuple(schemas.split(",")), url))
    return tuple(found)


class RetentionSettings(BaseSettings):
    """What retention needs to know."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore")

    outbox_databases: Annotated[
        tuple[LookedAfter, ...], NoDecode, BeforeValidator(_databases), Field(repr=False)
    ]
    outbox_days: Annotated[int, Field(ge=1)] = 7
    outbox_round_s: Annotated[float, Field(gt=0)] = 3600.0
    outbox_round_file: Path


def main() -> int:
    """Look after the outboxes until told to stop; return the exit status."""
    settings = load(RetentionSettings)
    logs.configure("retention")
    stopped = stop_event()
    while not stopped.is_set():
        if round_of(settings):
            settings.outbox_round_file.touch()
            wait_until_due(stopped, settings.outbox_round_s)
        else:
            stopped.wait(RETRY_S)
    return 0


def wait_until_due(
    stopped: Event,
    after_s: float,
    *,
    look_s: float = LOOK_S,
    clock: Callable[[], float] = time.time,
) -> None:
    """Wait until the next round is due by the clock on the wall, or somebody says to stop.

    The clock that waits are measured by stands still while the machine sleeps. When the other one was set back, nobody
    can tell how long ago the last round was: the next is due then.
    """
    begin = clock()
    while 0 <= (passed_s := clock() - begin) < after_s:
        if stopped.wait(min(look_s, after_s - passed_s)):
            return


def round_of(settings: RetentionSettings) -> bool:
    kept = timedelta(days=settings.outbox_days)
    # that one of them cannot be asked keeps nobody from the others
    done = [_round_of(each, kept) for each in settings.outbox_databases]
    return all(done)


def _round_of(database: LookedAfter, kept: timedelta) -> bool:
    try:
        with connect(database.url, autocommit=True) as connection:
            done = [
                _look_after(connection, schema, database.publisher, kept)
                for schema in database.schemas
            ]
    except psycopg.Error as error:
        log.warning("database cannot be asked", error=error)
        return False
    log.info("outboxes looked after", outboxes=",".join(database.schemas))
    return all(done)


def _look_after(
    connection: psycopg.Connection[tuple[object, ...]], schema: str, publisher: str, kept: timedelta
) -> bool:
    try:
        days = maintain(connection, schema, publisher=publisher, kept=kept)
        answers = remove_answers(connection, schema)
    except psycopg.Error as error:
        if connection.broken:
            raise
        log.warning("outbox not looked after", outbox=schema, error=error)
        return False
    for day in days:
        _tell(schema, day)
    if answers:
        log.info("expired answers removed", outbox=schema, answers=answers)
    return True


def _tell(schema: str, day: Day) -> None:
    if day.fate in {"dropped", "made", "taken over"}:
        log.info("partition", outbox=schema, name=day.name, fate=day.fate)
    elif day.fate == "missing" or day.last_day is None:
        log.warning("partition", outbox=schema, name=day.name, fate=day.fate, why=day.why)


if __name__ == "__main__":
    sys.exit(main())
