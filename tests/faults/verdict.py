"""Judges what became of a load of orders: what was lost, repeated or reordered, and what was said wrongly."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from infra.demo.send import Refused, Unsent
from tests.faults.account import (
    FIRST_ONLY,
    ORDERS_TOPIC,
    PAYMENTS_TOPIC,
    READERS,
    Account,
    Delivered,
    Event,
)

EVENTS_OF_AN_ORDER = 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong, each in a sentence; nothing when all is as it should be.

    Args:
        lost: What should be there and is not.
        repeated: What is there more than once.
        reordered: Keys whose events did not come in their order.
        contradicted: Orders that are there although the answer said that they were not placed, orders about which the
            books of the services disagree, and parked messages.
    """

    lost: Sequence[str]
    repeated: Sequence[str]
    reordered: Sequence[str]
    contradicted: Sequence[str]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.sentences())

    def sentences(self) -> Iterator[str]:
        """Yield everything that is wrong."""
        for wrong in (self.lost, self.repeated, self.reordered, self.contradicted):
            yield from wrong


def judge(account: Account) -> Verdict:
    """Judge what became of a load."""
    return Verdict(
        lost=[*_lost_orders(account), *_lost_messages(account), *_counted_less(account)],
        repeated=[*_repeated(account), *_counted_more(account)],
        reordered=list(_reordered(account)),
        contradicted=list(_contradicted(account)),
    )


def _lost_orders(account: Account) -> Iterator[str]:
    versions, payments = _versions(account), Counter(order for order, _ in account.payments)
    for sent in account.sent:
        if sent.order_id and str(sent.order_id) not in versions:
            yield f"order {sent.order_id} was accepted, and there is no event of it"
    for order_id, known in versions.items():
        status = account.statuses.get(order_id)
        if status is None:
            yield f"order {order_id} has events and no row"
        elif status == "pending" or len(known) < EVENTS_OF_AN_ORDER:
            yield f"order {order_id} is {status} after {len(known)} events"
        if not payments[order_id]:
            yield f"order {order_id} has no payment"
    told = {event.key for event in account.events[PAYMENTS_TOPIC]}
    answered = by_command(account)
    for order_id, payment_id in account.payments:
        if payment_id not in told and order_id not in answered:
            yield f"payment {payment_id} has no event"


def _lost_messages(account: Account) -> Iterator[str]:
    for topic, events in account.events.items():
        for event in events:
            if event.message_id not in account.delivered:
                yield f"message {event.message_id} is not in {topic}"
            for consumer in READERS[topic]:
                wanted = consumer not in FIRST_ONLY or event.version == 1
                if wanted and event.message_id not in account.taken[consumer]:
                    yield f"message {event.message_id} of {topic} had no effect in {consumer}"


def _counted_less(account: Account) -> Iterator[str]:
    for what, counted, orders in _counts(account):
        if counted < orders:
            yield f"analytics counts {counted} orders as {what}, of {orders}"


def _counted_more(account: Account) -> Iterator[str]:
    for what, counted, orders in _counts(account):
        if counted > orders:
            yield f"analytics counts {counted} orders as {what}, of {orders}"


def _counts(account: Account) -> Iterator[tuple[str, int, int]]:
    # whoever counts keeps no list of what he has counted: only the inbox stands between a record and its second effect
    orders = len(_versions(account))
    for what, counted in zip(("placed", "decided"), account.counted, strict=True):
        yield what, counted, orders


def _repeated(account: Account) -> Iterator[str]:
    first = [event for event in account.events[ORDERS_TOPIC] if event.version == 1]
    yield from _several("orders from the request", (event.correlation_id for event in first))
    yield from _several("payments of order", (order_id for order_id, _ in account.payments))
    paid = account.events[PAYMENTS_TOPIC]
    yield from _several("events of payment", (event.key for event in paid))
    for order_id, versions in _versions(account).items():
        if len(versions) > EVENTS_OF_AN_ORDER:
            yield f"{len(versions)} events of order {order_id}"


def _several(what: str, names: Iterator[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{count} {what} {name}"


def _reordered(account: Account) -> Iterator[str]:
    for topic, events in account.events.items():
        by_key: dict[str, list[Event]] = defaultdict(list)
        for event in events:
            by_key[event.key].append(event)
        for key, known in by_key.items():
            places = _first_places(sorted(known, key=lambda each: each.version), account.delivered)
            if places != sorted(places) or len({place.partition for place in places}) > 1:
                yield f"the events of {key} lie in {topic} at {places}"


def _first_places(
    events: Sequence[Event], delivered: Mapping[str, Sequence[Delivered]]
) -> list[Delivered]:
    return [min(delivered[each.message_id]) for each in events if each.message_id in delivered]


def _contradicted(account: Account) -> Iterator[str]:
    placed = {event.correlation_id for event in account.events[ORDERS_TOPIC]}
    for sent in account.sent:
        if sent.correlation_id in placed and isinstance(sent.answer, Unsent | Refused):
            yield f"request {sent.correlation_id} was answered as not placed ({sent.answer.reason}), and was"
        if sent.answer is None:
            yield f"request {sent.correlation_id} was never answered, nor given up"
    yield from account.disagreements
    if account.parked:
        yield f"{account.parked} messages are parked"


def by_command(account: Account) -> set[str]:
    """Return the orders whose participants answer commands, and tell nobody else."""
    requests = {sent.correlation_id for sent in account.sent if sent.form == "orchestration"}
    orders = account.events[ORDERS_TOPIC]
    return {event.key for event in orders if event.correlation_id in requests}


def _versions(account: Account) -> dict[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for event in account.events[ORDERS_TOPIC]:
        found[event.key].append(event.version)
    return found
