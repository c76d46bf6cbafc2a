"""The card processor as payments sees it, and a simulated one that decides by rule."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from schemas.messages.payments import DeclineReason
from tailrace import Note


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a card is to be charged."""

    idempotency_key: str  # the processor carries out a key once, however often it is asked
    customer_id: str
    amount: Decimal
    currency: str


class CardProcessor(Protocol):
    """A party outside that moves money."""

    async def charge(self, charge: Charge) -> DeclineReason | None:
        """Charge a card; return why not when it is declined, and None when the money was taken."""
        ...


REASON_BY_PREFIX = {
    "declined": DeclineReason.CARD_DECLINED,
    "broke": DeclineReason.INSUFFICIENT_FUNDS,
}


class SimulatedCardProcessor:
    """Decides by rule, so that a run can be repeated.

    Customers whose id begins with `declined` or `broke` are refused, and so is an amount over the limit.
    """

    def __init__(self, *, limit: Decimal, latency_ms: int = 0) -> None:
        self._limit = limit
        self._latency_ms = latency_ms

    async def charge(self, charge: Charge) -> DeclineReason | None:
        if self._latency_ms:
            await asyncio.sleep(self._latency_ms / 1000)
        if charge.amount > self._limit:
            return DeclineReason.LIMIT_EXCEEDED
        for prefix, reason in REASON_BY_PREFIX.items():
            if charge.customer_id.startswith(prefix):
                return reason
        return None


class CapturedCardProcessor:
    """Stands in for the processor in a replay: charges nobody, notes the charge, and answers by a rule.

    The rule is that of the simulated one.
    """

    def __init__(self, note: Note, *, limit: Decimal) -> None:
        self._note = note
        self._rule = SimulatedCardProcessor(limit=limit)

    async def charge(self, charge: Charge) -> DeclineReason | None:
        """Note a charge; return why not when the rule declines it, and None when it takes the money."""
        declined = await self._rule.charge(charge)
        details = {
            "customer_id": charge.customer_id,
            "amount": str(charge.amount),
            "currency": charge.currency,
            "answer": declined.value if declined else "taken",
        }
        self._note("charge", charge.idempotency_key, details)
        return declined
