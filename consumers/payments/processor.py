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
    """A party outside that moves money.

    What undoes a charge names it by the key that it was asked for with, and is as harmless when repeated; of a key
    under which nothing was charged, there is nothing to undo.
    """

    async def charge(self, charge: Charge) -> DeclineReason | None:
        """Charge a card; return why not when it is declined, and None when the money was taken."""
        ...

    async def authorise(self, charge: Charge) -> DeclineReason | None:
        """Hold money on a card; return why not when it is declined, and None when it is held."""
        ...

    async def capture(self, idempotency_key: str) -> None:
        """Take the money that is held."""
        ...

    async def void(self, idempotency_key: str) -> None:
        """Let go of the money that is held."""
        ...

    async def refund(self, idempotency_key: str) -> None:
        """Give back the money that was taken."""
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
        return await self.authorise(charge)

    async def authorise(self, charge: Charge) -> DeclineReason | None:
        await self._take_time()
        if charge.amount > self._limit:
            return DeclineReason.LIMIT_EXCEEDED
        for prefix, reason in REASON_BY_PREFIX.items():
            if charge.customer_id.startswith(prefix):
                return reason
        return None

    async def capture(self, idempotency_key: str) -> None:
        await self._take_time()

    async def void(self, idempotency_key: str) -> None:
        await self._take_time()

    async def refund(self, idempotency_key: str) -> None:
        await self._take_time()

    async def _take_time(self) -> None:
        if self._latency_ms:
            await asyncio.sleep(self._latency_ms / 1000)


class CapturedCardProcessor:
    """Stands in for the processor in a replay: moves no money, notes what it was asked for, and answers by a rule.

    The rule is that of the simulated one.
    """

    def __init__(self, note: Note, *, limit: Decimal) -> None:
        self._note = note
        self._rule = SimulatedCardProcessor(limit=limit)

    async def charge(self, charge: Charge) -> DeclineReason | None:
        return await self._asked("charge", charge, "taken")

    async def authorise(self, charge: Charge) -> DeclineReason | None:
        return await self._asked("authorise", charge, "held")

    async def capture(self, idempotency_key: str) -> None:
        self._note("capture", idempotency_key, {})

    async def void(self, idempotency_key: str) -> None:
        self._note("void", idempotency_key, {})

    async def refund(self, idempotency_key: str) -> None:
        self._note("refund", idempotency_key, {})

    async def _asked(self, action: str, charge: Charge, yes: str) -> DeclineReason | None:
        declined = await self._rule.charge(charge)
        details = {
            "customer_id": charge.customer_id,
            "amount": str(charge.amount),
            "currency": charge.currency,
            "answer": declined.value if declined else yes,
        }
        self._note(action, charge.idempotency_key, details)
        return declined
