"""What an order is and may do: commands, decisions, events. No I/O.

A decision looks at the order and a command and yields events; applying the events gives the order that follows. The
same `apply` rebuilds an order from its history.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from schemas.messages.orders import (
    Fulfilment,
    OrderCancelled,
    OrderConfirmed,
    OrderCreated,
    OrderLine,
    Pricing,
)
from schemas.money.amounts import MAX_LINES, MAX_QUANTITY, MoneyError, in_currency
from schemas.money.currencies import MINOR_UNIT_DECIMALS
from schemas.money.tax import RateError, gross, rate, reduced, tax

Event = OrderCreated | OrderConfirmed | OrderCancelled
EVENTS = (OrderCreated, OrderConfirmed, OrderCancelled)
DISCOUNTS = {
    "standard": Decimal(0),
    "silver": Decimal("0.02"),
    "gold": Decimal("0.05"),
    "platinum": Decimal("0.10"),
}
"""Tier in the loyalty programme, from low to high -> part of each unit price that its users do not pay."""
LOWEST_TIER = next(iter(DISCOUNTS))
BY_CUSTOMER = "customer_request"  # reason of an order that its customer has cancelled


class OrderError(Exception):
    """The order's rules forbid what a command asks; asking again will not change that."""


class InvalidOrderError(OrderError):
    """The order could never have been placed like this."""


class OrderStateError(OrderError):
    """The order is past the point where the command makes sense."""


class Status(StrEnum):
    """Where an order stands."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The tier of a customer who is a user."""

    tier: str = LOWEST_TIER
    is_fallback: bool = False  # it could not be found out


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceOrder:
    """Order these lines for a customer. Their tax follows from their tax rates; it is not asked for."""

    customer_id: str
    currency: str
    lines: tuple[OrderLine, ...]
    fulfilment: Fulfilment = Fulfilment.CHOREOGRAPHY
    standing: Standing | None = None  # None where the prices are the same for everybody


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfirmOrder:
    """The order is paid, and whatever has to be sent is on its way."""

    order_id: UUID
    payment_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelOrder:
    """Give the order up, for a reason that programs can branch on."""

    order_id: UUID
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What has been heard of an order's fulfilment, in whatever sequence. No event of the order tells of it."""

    payment_id: UUID | None = None
    shipment_id: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as it stands after `version` events."""

    order_id: UUID
    customer_id: str
    currency: str
    lines: tuple[OrderLine, ...]
    total: Decimal
    status: Status
    placed_at: datetime
    updated_at: datetime
    version: int
    payment_id: UUID | None = None
    cancel_reason: str | None = None
    fulfilment: Fulfilment = Fulfilment.CHOREOGRAPHY
    pricing: Pricing | None = None

    @property
    def is_digital(self) -> bool:
        """Whether nothing of it has to be sent."""
        return all(line.digital for line in self.lines)

    @property
    def tax(self) -> Decimal:
        return sum((line.tax or Decimal(0) for line in self.lines), Decimal(0))

    @property
    def net(self) -> Decimal:
        """What the lines come to before tax."""
        return self.total - self.tax

    @staticmethod
    def place(command: PlaceOrder, *, order_id: UUID, at: datetime) -> OrderCreated:
        if command.currency not in MINOR_UNIT_DECIMALS:
            raise InvalidOrderError(f"{command.currency} is not an active ISO 4217 currency code")
        if not 1 <= len(command.lines) <= MAX_LINES:
            raise InvalidOrderError(
                f"an order has 1 to {MAX_LINES} lines, not {len(command.lines)}"
            )
        lines = tuple(_checked(line, command.currency) for line in command.lines)
        lines, pricing = _priced(lines, command.currency, command.standing)
        return OrderCreated(
            order_id=order_id,
            customer_id=command.customer_id,
            currency=command.currency,
            lines=lines,
            total=_total(lines, command.currency),
            placed_at=at,
            fulfilment=command.fulfilment,
            pricing=pricing,
        )

    def advance(self, progress: Progress, *, at: datetime) -> tuple[Event, ...]:
        """Decide on what has been heard by choreography. What comes after the order is decided is no event."""
        payment_id, is_sent = progress.payment_id, self.is_digital or progress.shipment_id
        if self.status is not Status.PENDING or payment_id is None or not is_sent:
            return ()
        return self.confirm(ConfirmOrder(order_id=self.order_id, payment_id=payment_id), at=at)

    def confirm(self, command: ConfirmOrder, *, at: datetime) -> tuple[Event, ...]:
        """Decide on the order's success. Confirming twice is no event."""
        if self.status is Status.CONFIRMED:
            return ()
        self._require_pending("confirmed")
        return (self._confirmed(command.payment_id, self._not_before_last_change(at)),)

    def cancel(self, command: CancelOrder, *, at: datetime) -> tuple[Event, ...]:
        """Decide on giving the order up. Cancelling twice is no event; the first reason stays."""
        if self.status is Status.CANCELLED:
            return ()
        self._require_pending("cancelled")
        return (self._cancelled(command.reason, self._not_before_last_change(at)),)

    def decision(self) -> OrderConfirmed | OrderCancelled:
        """Return what was told when the order was decided.

        Raises:
            OrderStateError: it is not decided yet.
        """
        if self.payment_id is not None:
            return self._confirmed(self.payment_id, self.updated_at)
        if self.cancel_reason is not None:
            return self._cancelled(self.cancel_reason, self.updated_at)
        raise OrderStateError(f"order {self.order_id} is {self.status}, and not decided yet")

    @classmethod
    def begin(cls, event: OrderCreated) -> "Order":
        return cls(
            order_id=event.order_id,
            customer_id=event.customer_id,
            currency=event.currency,
            lines=event.lines,
            total=event.total,
            status=Status.PENDING,
            placed_at=event.placed_at,
            updated_at=event.placed_at,
            version=1,
            fulfilment=event.fulfilment,
            pricing=event.pricing,
        )

    def apply(self, event: Event) -> "Order":
        """Return the order that follows a later event. Events are facts: nothing is decided or refused here."""
        match event:
            case OrderConfirmed():
                return self._changed(
                    event.confirmed_at, status=Status.CONFIRMED, payment_id=event.payment_id
                )
            case OrderCancelled():
                return self._changed(
                    event.cancelled_at, status=Status.CANCELLED, cancel_reason=event.reason
                )
            case OrderCreated():
                raise ValueError(f"order {self.order_id} was created twice")

    @classmethod
    def rehydrate(cls, history: Iterable[Event]) -> "Order":
        """Return the order that its history leads to: all of its events, oldest first."""
        match tuple(history):
            case (OrderCreated() as created, *later):
                order = cls.begin(created)
            case _:
                raise ValueError("the history of an order begins with OrderCreated")
        for event in later:
            order = order.apply(event)
        return order

    def _confirmed(self, payment_id: UUID, at: datetime) -> OrderConfirmed:
        return OrderConfirmed(
            order_id=self.order_id,
            payment_id=payment_id,
            currency=self.currency,
            total=self.total,
            confirmed_at=at,
            customer_id=self.customer_id,
        )

    def _cancelled(self, reason: str, at: datetime) -> OrderCancelled:
        return OrderCancelled(
            order_id=self.order_id,
            reason=reason,
            currency=self.currency,
            total=self.total,
            cancelled_at=at,
        )

    def _require_pending(self, wish: str) -> None:
        if self.status is not Status.PENDING:
            raise OrderStateError(
                f"order {self.order_id} is {self.status} and can no longer be {wish}"
            )

    def _not_before_last_change(self, at: datetime) -> datetime:
        """Clocks of two machines differ; an order's history still runs forward."""
        return max(at, self.updated_at)

    def _changed(self, at: datetime, **changes: Any) -> "Order":
        return replace(self, updated_at=at, version=self.version + 1, **changes)


def _checked(line: OrderLine, currency: str) -> OrderLine:
    if not 1 <= line.quantity <= MAX_QUANTITY:
        raise InvalidOrderError(f"{line.quantity} is not a quantity from 1 to {MAX_QUANTITY}")
    try:
        price = in_currency(line.unit_price, currency)
    except MoneyError as error:
        raise InvalidOrderError(f"the unit price of {line.sku} {error}") from error
    return _taxed(replace(line, unit_price=price), currency)


def _priced(
    lines: tuple[OrderLine, ...], currency: str, standing: Standing | None
) -> tuple[tuple[OrderLine, ...], Pricing | None]:
    """Return lines with the unit prices that a customer pays, and what was done to them."""
    if standing is None:
        return lines, None
    part = DISCOUNTS[standing.tier]
    paid = tuple(
        _taxed(replace(line, unit_price=reduced(line.unit_price, part, currency)), currency)
        for line in lines
    )
    discount = in_currency(_total(lines, currency) - _total(paid, currency), currency)
    return paid, Pricing(tier=standing.tier, is_fallback=standing.is_fallback, discount=discount)


def _taxed(line: OrderLine, currency: str) -> OrderLine:
    if line.tax_rate is None:
        return replace(line, tax=None)
    try:
        tax_rate = rate(line.tax_rate)
    except RateError as error:
        raise InvalidOrderError(f"the tax rate of {line.sku} {error}") from error
    line_tax = tax(line.quantity, line.unit_price, tax_rate, currency)
    return replace(line, tax_rate=tax_rate, tax=line_tax)


def _total(lines: tuple[OrderLine, ...], currency: str) -> Decimal:
    taxed = ((line.quantity, line.unit_price, line.tax_rate or Decimal(0)) for line in lines)
    try:
        return in_currency(gross(taxed, currency), currency)
    except MoneyError as error:
        raise InvalidOrderError(str(error)) from error
