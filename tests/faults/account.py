"""What became of a load of orders: read from every table and topic once all is quiet."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

from infra.local.probe import ProbeTimeoutError, wait_until
from tests.books import disagreements
from tests.faults.load import Load, Sent
from tests.faults.watch import connect
from tests.kafka import records_of
from tests.orders import projection
from tests.stack import RunningStack

ORDERS_TOPIC, PAYMENTS_TOPIC = "order.events", "payment.events"
READERS = {
    ORDERS_TOPIC: ("payments-worker", "analytics-worker", "inventory-worker", "fulfilment-worker"),
    PAYMENTS_TOPIC: ("orders-worker",),
}
FIRST_ONLY = frozenset({"payments-worker", "fulfilment-worker"})
"""Who takes the first event of an order, and passes over the second unless it is a cancellation."""

SETTLED_S = 60.0
"""How long it may take after an order's end until every service has done what follows from it."""

STATUSES = (
    "select order_id::text, status from orders.customer_order where order_id = any(%s::uuid[])"
)
ORDER_EVENTS = """
select id::text, aggregate_id, aggregate_version, correlation_id::text from orders.outbox_event
where aggregate_type = 'order' and correlation_id = any(%s::uuid[])
"""
PAYMENTS = """
select order_id::text, payment_id::text from payments.payment where order_id = any(%s::uuid[])
"""
PAYMENT_EVENTS = """
select id::text, aggregate_id, aggregate_version, correlation_id::text from payments.outbox_event
where aggregate_type = 'payment' and aggregate_id = any(%s)
"""
TAKEN = "select message_id::text from {schema}.inbox where consumer = %s and message_id = any(%s::uuid[])"
PARKED = "select count(*) from {schema}.parked_message"


class Event(NamedTuple):
    """An event in an outbox."""

    message_id: str
    key: str
    version: int
    correlation_id: str


class Delivered(NamedTuple):
    """A record of an event in Kafka."""

    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What became of a load.

    Args:
        sent: The orders sent.
        statuses: Status of each order that exists, by its id.
        events: Events by topic.
        payments: Payments: ids of order and payment.
        delivered: Records of each message in Kafka, by its id.
        taken: Messages that are in each consumer's inbox.
        counted: How many orders more analytics counts as placed, and as confirmed or cancelled.
        parked: How many messages more are parked.
        disagreements: In which way the books of the services disagree about the orders and the stock.
    """

    sent: Sequence[Sent]
    statuses: Mapping[str, str]
    events: Mapping[str, Sequence[Event]]
    payments: Sequence[tuple[str, str]]
    delivered: Mapping[str, Sequence[Delivered]]
    taken: Mapping[str, Collection[str]]
    counted: tuple[int, int]
    parked: int
    disagreements: Sequence[str] = ()

    @property
    def copies(self) -> int:
        """How many records lie in Kafka more than once."""
        return sum(len(records) - 1 for records in self.delivered.values())


class Before(NamedTuple):
    """Counts from before a load."""

    counted: tuple[int, int]
    parked: int


def before(stack: RunningStack) -> Before:
    """Return the counts that a load will add to."""
    return Before(_counted(stack), _parked(stack))


def account(stack: RunningStack, load: Load, since: Before) -> Account:
    """Read what became of a load that has come to its end.

    Args:
        stack: The running stack.
        load: The load.
        since: The counts from before it.
    """
    reader = _Reader(stack)
    orders = reader.events("orders", ORDER_EVENTS, [sent.correlation_id for sent in load.sent])
    ids = sorted({event.key for event in orders})
    with suppress(ProbeTimeoutError):  # the verdict names what does not agree
        wait_until("", lambda: not disagreements(stack, ids), timeout_s=SETTLED_S)
    payments = reader.pairs("payments", PAYMENTS, ids)
    paid = reader.events("payments", PAYMENT_EVENTS, [payment_id for _, payment_id in payments])
    events = {ORDERS_TOPIC: orders, PAYMENTS_TOPIC: paid}
    return Account(
        sent=load.sent,
        statuses=dict(reader.pairs("orders", STATUSES, ids)),
        events=events,
        payments=payments,
        delivered=_delivered(stack, events),
        taken={
            consumer: reader.taken(consumer, events[topic])
            for topic, consumers in READERS.items()
            for consumer in consumers
        },
        counted=_difference(_counted(stack), since.counted),
        parked=_parked(stack) - since.parked,
        disagreements=disagreements(stack, ids),
    )


class _Reader:
    def __init__(self, stack: RunningStack) -> None:
        self._stack = stack

    def events(self, context: str, query: str, values: Sequence[str]) -> list[Event]:
        return [Event(*row) for row in self._rows(context, query, list(values))]

    def pairs(self, context: str, query: str, ids: Sequence[str]) -> list[tuple[str, str]]:
        return [(first, second) for first, second in self._rows(context, query, list(ids))]

    def taken(self, consumer: str, events: Sequence[Event]) -> set[str]:
        context, ids = _schema_of(consumer), [event.message_id for event in events]
        rows = self._rows(context, TAKEN.format(schema=context), consumer, ids)
        return {message_id for (message_id,) in rows}

    def _rows(self, context: str, query: str, *values: object) -> list[tuple[Any, ...]]:
        with connect(self._stack, context) as connection:
            return connection.execute(query.encode(), values).fetchall()


def _delivered(
    stack: RunningStack, events: Mapping[str, Sequence[Event]]
) -> dict[str, list[Delivered]]:
    found: dict[str, list[Delivered]] = defaultdict(list)
    for topic, wanted in events.items():
        ids = {event.message_id for event in wanted}
        for message_id, records in records_of(stack, topic).items():
            if message_id in ids:
                found[message_id] += [Delivered(each.partition, each.offset) for each in records]
    return found


def _counted(stack: RunningStack) -> tuple[int, int]:
    placed, confirmed, cancelled = projection(stack)
    return placed, confirmed + cancelled


def _parked(stack: RunningStack) -> int:
    schemas = {_schema_of(consumer) for consumers in READERS.values() for consumer in consumers}
    counts = []
    for schema in schemas:
        with connect(stack, schema) as connection:
            counts += connection.execute(PARKED.format(schema=schema).encode()).fetchall()
    return sum(count for (count,) in counts)


def _difference(now: tuple[int, int], then: tuple[int, int]) -> tuple[int, int]:
    return now[0] - then[0], now[1] - then[1]


def _schema_of(consumer: str) -> str:
    return consumer.removesuffix("-worker")
