"""Looks after the outboxes again and again: `python -m cdc.retention`."""

import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import psycopg
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from cdc import logs
from cdc.database import connect
from cdc.retention.rounds import Day, maintain, remove_answers
from cdc.service import load
from cdc.signals import stop_event

RETRY_S = 10.0
"""From a round that failed to the next, in seconds."""

log = logs.FieldLogger("cdc.retention")


class RetentionSettings(BaseSettings):
    """What retention needs to know."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore")

    database_url: Annotated[str, Field(min_length=1, repr=False)]
    outbox_schemas: Annotated[str, Field(min_length=1)]
    # who publishes them, such as `slot:tailrace_outbox`
    outbox_publisher: Annotated[str, Field(min_length=1)]
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
            stopped.wait(settings.outbox_round_s)
        else:
            stopped.wait(RETRY_S)
    return 0


def round_of(settings: RetentionSettings) -> bool:
    try:
        with connect(settings.database_url, autocommit=True) as connection:
            done = [
                _look_after(connection, schema, settings)
                for schema in settings.outbox_schemas.split(",")
            ]
    except psycopg.Error as error:
        log.warning("database cannot be asked", error=error)
        return False
    log.info("outboxes looked after", outboxes=settings.outbox_schemas)
    return all(done)


def _look_after(
    connection: psycopg.Connection[tuple[object, ...]], schema: str, settings: RetentionSettings
) -> bool:
    try:
        days = maintain(
            connection,
            schema,
            publisher=settings.outbox_publisher,
            kept=timedelta(days=settings.outbox_days),
        )
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
