"""A consumer that keeps a ledger, and misbehaves as its environment tells it: `python -m tests.workers.ledger`.

The effect of a message is a row in `ledger_entry`. That a handler was called is noted in a file besides, a line for
each message and call, which no rollback takes back.
"""

import asyncio
import json
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from uuid import UUID

from pydantic import Field

from cdc.database import Connection
from cdc.due import RetryPolicy
from cdc.service import load
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import Delivery
from consumers.runtime.handlers import Function, handles, handles_in_bulk
from consumers.runtime.process import run_together
from consumers.runtime.received import Received
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.work import BulkWork, Work
from consumers.runtime.worker import Worker
from schemas.messages.canary import CanaryEmitted
from schemas.messages.payments import PaymentCompleted
from tests import clocks

MODULE = "tests.workers.ledger"
TOGETHER = "TAILRACE_LEDGER_TOGETHER"
CALLS = "calls"
RELEASE = "release"
ID_LENGTH = 36
LOOK_S = 0.05

TABLE = """
create table if not exists analytics.ledger_entry (
    entry_id   bigint generated always as identity primary key,
    consumer   text        not null,
    message_id uuid        not null,
    key        text        not null,
    number     int         not null,
    partition  int         not null,
    "offset"   bigint      not null,
    pid        int         not null,
    at         timestamptz not null default clock_timestamp()
);
comment on table analytics.ledger_entry is 'effects of test workers; nothing is unique, so that repeated effects show';
create index if not exists ledger_entry_of_consumer on analytics.ledger_entry (consumer, entry_id);
grant select, insert on analytics.ledger_entry to analytics;
"""

INSERT = """
insert into ledger_entry (consumer, message_id, key, number, partition, "offset", pid)
select %s, entry.*, %s from unnest(%s::uuid[], %s::text[], %s::int[], %s::int[], %s::bigint[]) as entry
"""


class Kind(StrEnum):
    """How a handler misbehaves, once its effect is written."""

    HANG = "hang"
    """It awaits what never comes."""
    BLOCK = "block"
    """It blocks the event loop for good."""
    HOLD = "hold"
    """It waits until the test lets it go on."""
    FAIL = "fail"
    """It raises an error of its own."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with a message.

    Args:
        kind: How its handler misbehaves.
        times: In how many calls, counted over all workers; None for every call.
    """

    kind: Kind
    times: int | None = None


def troubles(causes: Mapping[UUID, Trouble]) -> dict[str, str]:
    """Return the variable that tells a worker which messages cause trouble, as `Fleet.start` takes it.

    Args:
        causes: The trouble by the id of the message.
    """
    value = {str(message_id): asdict(trouble) for message_id, trouble in causes.items()}
    return {"TAILRACE_LEDGER_TROUBLES": json.dumps(value)}


class LedgerSettings(WorkerSettings):
    """Settings of a worker under test.

    Args:
        ledger_consumer: Its name.
        ledger_topics: Topics to read.
        ledger_directory: Where calls are noted; a file `release` there lets go on who is held.
        ledger_in_bulk: Handle payments many at a time.
        ledger_delay_s: How long a handler takes for each call, in seconds.
        ledger_troubles: Which messages cause trouble, by their ids.
        ledger_attempts: Attempts until a failing message is a dead letter.
        ledger_pause_s: Longest pause before the second attempt, in seconds.
        ledger_max_batch: Most messages in a transaction.
        ledger_gather_s: Least time from one fetch that brings something to the next, in seconds.
        ledger_window_h: How long ids are remembered, in hours; 0 for ever.
        ledger_clock: File that sets its clock, see `tests.clocks`.
    """

    ledger_consumer: str
    ledger_topics: tuple[str, ...]
    ledger_directory: Path
    ledger_in_bulk: bool = False
    ledger_delay_s: float = 0.0
    ledger_troubles: dict[UUID, Trouble] = Field(default_factory=dict)
    ledger_attempts: int = 2
    ledger_pause_s: float = 1.0
    ledger_max_batch: int = 2000
    ledger_gather_s: float = 0.0
    ledger_window_h: float = 15 * 24
    ledger_clock: Path | None = None


class Ledger:
    """The handlers.

    Args:
        settings: How they behave.
    """

    def __init__(self, settings: LedgerSettings) -> None:
        self._settings = settings
        self._release = settings.ledger_directory / RELEASE
        calls = settings.ledger_directory / CALLS
        # what a process has written to a file stays when it is killed
        self._calls = os.open(calls, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    @property
    def handlers(self) -> Sequence[Function]:
        """The functions of the dispatch table."""
        return [self.many if self._settings.ledger_in_bulk else self.one, self.canary]

    @handles_in_bulk(PaymentCompleted)
    async def many(self, received: Sequence[Received[PaymentCompleted]], work: BulkWork) -> None:
        """Enter payments."""
        await self._enter(
            [each.delivery for each in received],
            [int(each.message.amount) for each in received],
            work.connection,
        )

    @handles(PaymentCompleted)
    async def one(self, payment: PaymentCompleted, work: Work) -> None:
        """Enter a payment."""
        await self._enter([work.delivery], [int(payment.amount)], work.connection)

    @handles(CanaryEmitted)
    async def canary(self, _: CanaryEmitted, work: Work) -> None:
        """Enter a canary."""
        await self._enter([work.delivery], [0], work.connection)

    async def _enter(
        self, deliveries: Sequence[Delivery], numbers: Sequence[int], connection: Connection
    ) -> None:
        self._note(deliveries)
        columns = [(d.message_id, d.key, d.partition, d.offset) for d in deliveries]
        ids, keys, partitions, offsets = (list(column) for column in zip(*columns, strict=True))
        await connection.execute(
            INSERT,
            [
                *(self._settings.ledger_consumer, os.getpid()),
                *(ids, keys, list(numbers), partitions, offsets),
            ],
        )
        for delivery in deliveries:
            await self._misbehave(delivery.message_id)
        if self._settings.ledger_delay_s:
            await asyncio.sleep(self._settings.ledger_delay_s)

    def _note(self, deliveries: Sequence[Delivery]) -> None:
        lines = "".join(f"{delivery.message_id}\n" for delivery in deliveries)
        os.write(self._calls, lines.encode())

    async def _misbehave(self, message_id: UUID) -> None:
        trouble = self._settings.ledger_troubles.get(message_id)
        if trouble is None:
            return
        calls = calls_of(self._settings.ledger_directory).count(message_id)
        if trouble.times is not None and calls > trouble.times:
            return
        if trouble.kind is Kind.FAIL:
            raise ZeroDivisionError(f"the handler fails at {message_id}")
        if trouble.kind is Kind.BLOCK:
            threading.Event().wait()
        if trouble.kind is Kind.HANG:
            await asyncio.Event().wait()
        while not self._release.exists():  # noqa: ASYNC110 - the event is another process's
            await asyncio.sleep(LOOK_S)


def calls_of(directory: Path) -> list[UUID]:
    """Return the message of each call of a handler so far, in the order of the calls.

    Args:
        directory: Where the workers note them.
    """
    calls = directory / CALLS
    lines = calls.read_text().split() if calls.exists() else []
    return [UUID(line) for line in lines if len(line) == ID_LENGTH]  # a kill may tear a line


def consumer_of(settings: LedgerSettings) -> Consumer:
    """Declare the consumer.

    Args:
        settings: Settings of its worker.
    """
    return Consumer(
        name=settings.ledger_consumer,
        handlers=Ledger(settings).handlers,
        topics=settings.ledger_topics,
        retries=RetryPolicy(
            attempts=settings.ledger_attempts, first_pause_s=settings.ledger_pause_s
        ),
        inbox_window=timedelta(hours=settings.ledger_window_h) or None,
        max_batch=settings.ledger_max_batch,
        gather_s=settings.ledger_gather_s,
    )


def create_app(settings: LedgerSettings, **options: object) -> Worker:
    """Build the worker.

    Args:
        settings: Its settings.
        options: Settings of Faust that differ.
    """
    if settings.ledger_clock:
        clocks.follow(settings.ledger_clock)
    return Worker(consumer_of(settings), settings, **options)


def main() -> None:
    """Run the consumers that the environment names, each with variables of its own; one that has none else."""
    names = json.loads(os.environ.get(TOGETHER, '[""]'))
    told = {name: load(LedgerSettings, name) for name in names}
    run_together({name: partial(create_app, told[name]) for name in names})


if __name__ == "__main__":
    main()
