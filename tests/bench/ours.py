"""The candidate: the same effect written as a handler of `consumers.runtime`."""

from collections.abc import Sequence

from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import handles_in_bulk
from consumers.runtime.received import Received
from consumers.runtime.work import BulkWork
from consumers.runtime.worker import Worker
from schemas.messages.orders import OrderCreated
from schemas.messages.payments import PaymentCompleted
from tests.bench.effect import ContenderSettings, Row, insert_effects
from tests.workers.running import run


@handles_in_bulk(PaymentCompleted)
async def write_effects(received: Sequence[Received[PaymentCompleted]], work: BulkWork) -> None:
    """Write a row for each payment."""
    await insert_effects(work.connection, map(_row, received))


def _row(received: Received[PaymentCompleted]) -> Row:
    payment = received.message
    return (
        received.message_id,
        payment.payment_id,
        payment.order_id,
        payment.currency,
        payment.amount,
        payment.completed_at,
    )


@handles_in_bulk(OrderCreated)
async def write_orders(received: Sequence[Received[OrderCreated]], work: BulkWork) -> None:
    """Write the same row for each order, which may be as large as messages get."""
    rows = [
        (
            each.message_id,
            order.order_id,
            order.order_id,
            order.currency,
            order.total,
            order.placed_at,
        )
        for each in received
        for order in (each.message,)
    ]
    await insert_effects(work.connection, rows)


def create_app(settings: ContenderSettings) -> Worker:
    """Build the worker.

    Args:
        settings: Its settings.
    """
    consumer = Consumer(
        name=settings.bench_group,
        handlers=[write_effects, write_orders],
        topics=(settings.bench_topic,),
    )
    return Worker(consumer, settings)


if __name__ == "__main__":
    run(create_app, ContenderSettings)
