"""A consumer that fails on purpose: `python -m tests.workers.picky`, with the environment of a worker.

It notes the payments it takes in `picky_effect`. Those in the currency `BROKEN` it cannot take until a file named by
their key says that it was mended, and tries again after minutes; those in `HOPELESS` are dead letters at once.
"""

import os
from pathlib import Path

from cdc.due import RetryPolicy
from consumers.runtime.consumer import Consumer
from consumers.runtime.failures import PoisonError
from consumers.runtime.handlers import handles
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.work import Work
from consumers.runtime.worker import Worker
from schemas.messages.payments import PaymentCompleted
from tests.workers.running import run

BROKEN = "BRK"
HOPELESS = "HPL"

TABLE = """
create table if not exists analytics.picky_effect (
    effect_id  bigint generated always as identity primary key,
    consumer   text not null,
    key        text not null,
    message_id uuid not null,
    currency   text not null,
    amount     numeric not null,
    at         timestamptz not null default clock_timestamp()
);
grant select, insert on analytics.picky_effect to analytics;
"""

NAME = "TAILRACE_PICKY_CONSUMER"
TOPIC = "TAILRACE_PICKY_TOPIC"
MENDED = "TAILRACE_PICKY_MENDED"

MODULE = "tests.workers.picky"
PAUSE_S = 600


class CannotTakeError(Exception):
    """The payment is in a currency that this consumer cannot take yet."""


class Picky:
    """The handler.

    Args:
        consumer: Name of the consumer.
        mended: Directory of files that are named by the keys of which broken payments can be taken.
    """

    def __init__(self, consumer: str, mended: Path) -> None:
        self._consumer = consumer
        self._mended = mended

    @handles(PaymentCompleted)
    async def take(self, payment: PaymentCompleted, work: Work) -> None:
        """Note a payment, or fail."""
        if payment.currency == HOPELESS:
            raise PoisonError(f"nobody can take {payment.currency}")
        if payment.currency == BROKEN and not (self._mended / work.delivery.key).exists():
            raise CannotTakeError(f"{payment.currency} cannot be taken yet")
        await work.connection.execute(
            "insert into picky_effect (consumer, key, message_id, currency, amount) values (%s, %s, %s, %s, %s)",
            [
                self._consumer,
                work.delivery.key,
                work.delivery.message_id,
                payment.currency,
                payment.amount,
            ],
        )


def create_app(settings: WorkerSettings) -> Worker:
    """Build the worker."""
    name = os.environ[NAME]
    consumer = Consumer(
        name=name,
        handlers=[Picky(name, Path(os.environ[MENDED])).take],
        topics=(os.environ[TOPIC],),
        retries=RetryPolicy(attempts=3, first_pause_s=PAUSE_S),
    )
    return Worker(consumer, settings)


if __name__ == "__main__":
    run(create_app, WorkerSettings)
