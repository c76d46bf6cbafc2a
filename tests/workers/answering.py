"""A consumer that answers: `python -m tests.workers.answering`, with the environment of a worker.

Asked by a sign of life, it answers with the amount that `answering_amount` has under its id, once it has slept there as
long as that says.
"""

from datetime import UTC, datetime

from consumers.runtime.answering.reading import Reading
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import answers, handles
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.work import Work
from consumers.runtime.worker import Worker
from schemas.messages.canary import CanaryEmitted
from schemas.messages.orders import OrderCancelled
from schemas.messages.payments import PaymentCompleted
from tests.asking import Asked
from tests.workers.running import run

MODULE = "tests.workers.answering"

TABLE = """
create table if not exists analytics.answering_amount (
    id      uuid primary key,
    amount  numeric not null,
    sleep_s double precision not null
);
grant select, insert, delete on analytics.answering_amount to analytics;
"""
FIND = "select amount, pg_sleep(sleep_s) from answering_amount where id = %s"


@handles(OrderCancelled)
async def pass_over(order: OrderCancelled, work: Work) -> None:
    """Do nothing: a consumer takes messages besides."""


@answers(CanaryEmitted)
async def tell_amount(question: CanaryEmitted, reading: Reading) -> PaymentCompleted:
    found = await reading.connection.execute(FIND, [question.canary_id])
    row = await found.fetchone()
    if row is None:
        raise LookupError(f"there is no amount of {question.canary_id}")
    return PaymentCompleted(
        payment_id=question.canary_id,
        order_id=question.canary_id,
        currency="EUR",
        amount=row[0],
        completed_at=datetime.now(UTC),
    )


def create_app(settings: WorkerSettings) -> Worker:
    """Build the worker."""
    asked = Asked.told()
    consumer = Consumer(
        name=asked.consumer,
        handlers=[pass_over],
        answers=[tell_amount],
        sends=[PaymentCompleted],
        topics=[asked.silent],
    )
    return Worker(consumer, settings)


if __name__ == "__main__":
    with Asked.told().declared():
        run(create_app, WorkerSettings)
