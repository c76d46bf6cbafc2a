"""Keeps account of the orders under way, and of the sums and counts of those that have come to their end."""

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from infra.demo.follow import Seen
from infra.demo.orders import NewOrder
from schemas.messages.orders import OrderCancelled, OrderConfirmed, OrderCreated
from schemas.rest.orders.v2 import Order


@dataclass(frozen=True, slots=True)
class Sums:
    """What became of orders of one currency, as a report of sales counts it."""

    placed: int = 0
    confirmed: int = 0
    cancelled: int = 0
    revenue: Decimal = Decimal(0)

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.placed + other.placed,
            self.confirmed + other.confirmed,
            self.cancelled + other.cancelled,
            self.revenue + other.revenue,
        )

    def __neg__(self) -> "Sums":
        return Sums(-self.placed, -self.confirmed, -self.cancelled, -self.revenue)

    def __str__(self) -> str:
        return (
            f"{self.placed:,} placed, {self.confirmed:,} confirmed for {self.revenue:,f}, "
            f"{self.cancelled:,} cancelled"
        )


@dataclass(slots=True)
class Standing:
    """How a customer who is a user was served."""

    orders: int = 0
    tiers: list[str] = field(default_factory=list)  # in the order in which orders first had them
    fallbacks: int = 0  # orders that were priced while nobody could say the tier


@dataclass(slots=True)
class Totals:
    """Sums of one currency."""

    # what the placed orders come to according to the file, or to what was made up
    source: Decimal = Decimal(0)
    placed: Decimal = Decimal(0)
    confirmed: Decimal = Decimal(0)
    cancelled: Decimal = Decimal(0)
    # what customers who are users did not have to pay of it
    discount: Decimal = Decimal(0)

    @property
    def events(self) -> Decimal:
        return self.confirmed + self.cancelled

    @property
    def match(self) -> bool:
        return self.source - self.discount == self.placed == self.events


@dataclass(slots=True)
class Entry:
    """An order under way."""

    order: NewOrder
    started: float  # when, by `time.perf_counter`
    order_id: UUID | None = None
    last: Seen | None = None  # the last of its events; events can come before the answer
    lost: str | None = None  # why no answer will come, if the order was sent and none did

    @property
    def is_unknown(self) -> bool:
        """No answer will come, and no event has told that it was placed."""
        return self.lost is not None and self.order_id is None


@dataclass(slots=True)
class Ledger:
    """All that is known of a run's orders. It belongs to one thread, save for `in`."""

    placed: int = 0
    answers_lost: int = 0
    confirmed: int = 0
    cancelled: Counter[str] = field(default_factory=Counter)
    totals: dict[str, Totals] = field(default_factory=dict)
    sales: dict[str, Sums] = field(default_factory=dict)
    standing: Standing = field(default_factory=Standing)
    # the event by which each order ended, as webhooks call it
    ends: dict[UUID, str] = field(default_factory=dict)
    # until the storefront had answered, and until the last event was seen
    answers_s: "array[float]" = field(default_factory=lambda: array("d"))
    latencies_s: "array[float]" = field(default_factory=lambda: array("d"))
    _under_way: dict[str, Entry] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        return not self._under_way

    @property
    def awaited(self) -> int:
        """How many orders have something to come for certain, which those without an answer do not."""
        return sum(not entry.is_unknown for entry in self._under_way.values())

    def __contains__(self, correlation_id: object) -> bool:
        return correlation_id in self._under_way

    def begin(self, correlation_id: str, order: NewOrder, *, at: float) -> None:
        self._under_way[correlation_id] = Entry(order, at)

    def answered(self, correlation_id: str, answer: Order, *, at: float) -> NewOrder | None:
        """Note that the storefront took the order; return it if it has thereby come to its end."""
        entry = self._under_way[correlation_id]
        self.answers_s.append(at - entry.started)
        self._place(entry, answer.order_id, answer.total)
        if answer.tier is not None:
            self._serve(answer.tier, answer.tier_source)
        return self._finish(correlation_id, entry)

    def lost(self, correlation_id: str, reason: str) -> NewOrder | None:
        """Note that no answer will come: the events tell whether the order was placed."""
        entry = self._under_way[correlation_id]
        entry.lost = reason
        return self._without_answer(correlation_id, entry)

    def drop(self, correlation_id: str) -> NewOrder:
        """Forget an order that was certainly not placed, and return it."""
        return self._under_way.pop(correlation_id).order

    def seen(self, seen: Seen) -> NewOrder | None:
        """Note an event; return the order if it has thereby come to its end."""
        entry = self._under_way.get(seen.correlation_id)
        if entry is None:
            return None
        entry.last = seen
        if entry.is_unknown:
            return self._without_answer(seen.correlation_id, entry)
        return self._finish(seen.correlation_id, entry)

    def unfinished(self) -> Iterator[Entry]:
        return (entry for entry in self._under_way.values() if entry.order_id is not None)

    def unknown(self) -> Iterator[Entry]:
        return (entry for entry in self._under_way.values() if entry.order_id is None)

    def _without_answer(self, correlation_id: str, entry: Entry) -> NewOrder | None:
        if entry.last is not None:
            self.answers_lost += 1
            self._place(entry, entry.last.event.order_id, entry.last.event.total)
        return self._finish(correlation_id, entry)

    def _place(self, entry: Entry, order_id: UUID, total: Decimal) -> None:
        entry.order_id = order_id
        self.placed += 1
        sums = self._totals(entry)
        sums.source += entry.order.total
        sums.placed += total
        if entry.order.is_of_user:
            sums.discount += entry.order.total - total
        self._count(entry, Sums(placed=1))

    def _finish(self, correlation_id: str, entry: Entry) -> NewOrder | None:
        if entry.last is None or entry.last.event.order_id != entry.order_id:
            return None
        match entry.last.event:
            case OrderConfirmed(total=total):
                self.confirmed += 1
                self._totals(entry).confirmed += total
                self._end(entry, "order.confirmed", Sums(confirmed=1, revenue=total))
            case OrderCancelled(total=total, reason=reason):
                self.cancelled[reason] += 1
                self._totals(entry).cancelled += total
                self._end(entry, "order.cancelled", Sums(cancelled=1))
            case OrderCreated():
                return None
        self.latencies_s.append(entry.last.at - entry.started)
        return self.drop(correlation_id)

    def _serve(self, tier: str, source: str | None) -> None:
        self.standing.orders += 1
        self.standing.fallbacks += source == "fallback"
        if tier not in self.standing.tiers:
            self.standing.tiers.append(tier)

    def _end(self, entry: Entry, event: str, sums: Sums) -> None:
        if entry.order_id is not None:
            self.ends[entry.order_id] = event
        self._count(entry, sums)

    def _count(self, entry: Entry, sums: Sums) -> None:
        code = entry.order.currency
        self.sales[code] = self.sales.get(code, Sums()) + sums

    def _totals(self, entry: Entry) -> Totals:
        return self.totals.setdefault(entry.order.currency, Totals())
