"""How handlers are tested with nothing started: an example, of a consumer that is written against a value in memory."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from cdc.ids import new_id
from consumers.runtime.consumer import Consumer
from consumers.runtime.failures import PoisonError
from consumers.runtime.handlers import handles
from consumers.runtime.work import Work
from consumers.testing.memory import MemoryDatabase
from consumers.testing.records import deliver
from consumers.testing.scenario import Scenario
from schemas.messages.orders import OrderCancelled, OrderCreated
from schemas.messages.payments import DeclineReason, PaymentCompleted, PaymentFailed

NOW = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Accounts:
    """What the handlers keep: credit by customer, and what was paid for which order."""

    credit: dict[str, Decimal]
    paid: dict[UUID, Decimal] = field(default_factory=dict)


class Cashier:
    """Pays orders from the customers' credit.

    Args:
        accounts: Returns the accounts as they are in a unit of work; on Postgres it would make a repository.
    """

    def __init__(self, accounts: Callable[[Work], Accounts]) -> None:
        self._accounts = accounts

    @handles(OrderCreated)
    async def pay(self, order: OrderCreated, work: Work) -> None:
        accounts = self._accounts(work)
        if order.customer_id not in accounts.credit:
            raise PoisonError(f"{order.customer_id} has no account")
        event: PaymentCompleted | PaymentFailed
        if accounts.credit[order.customer_id] >= order.total:
            accounts.credit[order.customer_id] -= order.total
            accounts.paid[order.order_id] = order.total
            event = completed(order)
        else:
            event = PaymentFailed(
                payment_id=new_id(),
                order_id=order.order_id,
                currency=order.currency,
                amount=order.total,
                reason=DeclineReason.INSUFFICIENT_FUNDS,
                failed_at=work.now(),
            )
        await work.append([event], aggregate_id=str(event.payment_id), after_version=0)

    @handles(OrderCancelled)
    async def pay_back(self, order: OrderCancelled, work: Work) -> None:
        accounts = self._accounts(work)
        accounts.credit["ada"] += accounts.paid.pop(order.order_id)


def completed(order: OrderCreated) -> PaymentCompleted:
    return PaymentCompleted(
        payment_id=new_id(),
        order_id=order.order_id,
        currency=order.currency,
        amount=order.total,
        completed_at=NOW,
    )


def order(total: int, customer_id: str = "ada") -> OrderCreated:
    return OrderCreated(
        order_id=new_id(),
        customer_id=customer_id,
        currency="EUR",
        lines=(),
        total=Decimal(total),
        placed_at=NOW,
    )


def cancelled(placed: OrderCreated) -> OrderCancelled:
    return OrderCancelled(
        order_id=placed.order_id,
        reason="changed_mind",
        currency=placed.currency,
        total=placed.total,
        cancelled_at=NOW,
    )


def play(scene: Callable[[Scenario[Accounts]], Awaitable[None]]) -> None:
    """Play a scene in which ada has a credit of 100, and bob one of 5."""
    database = MemoryDatabase(Accounts({"ada": Decimal(100), "bob": Decimal(5)}))
    cashier = Cashier(database.value)
    consumer = Consumer(
        name="cashier-worker",
        handlers=[cashier.pay, cashier.pay_back],
        sends=[PaymentCompleted, PaymentFailed],
        clock=lambda: NOW,
    )

    async def run() -> None:
        await scene(Scenario(consumer, database))

    asyncio.run(run())


def test_an_order_is_paid_from_the_credit() -> None:
    async def scene(scenario: Scenario[Accounts]) -> None:
        placed = order(30)
        await scenario.when(placed)
        scenario.then_state(
            Accounts({"ada": Decimal(70), "bob": Decimal(5)}, {placed.order_id: Decimal(30)})
        )
        scenario.then_sent(completed(placed), ignoring=("payment_id",))

    play(scene)


def test_what_was_given_is_history() -> None:
    async def scene(scenario: Scenario[Accounts]) -> None:
        placed = order(30)
        await scenario.given(placed)
        await scenario.when(cancelled(placed))
        assert scenario.state.credit["ada"] == 100
        scenario.then_sent()

    play(scene)


def test_credit_that_does_not_suffice_is_told() -> None:
    async def scene(scenario: Scenario[Accounts]) -> None:
        await scenario.when(order(3, "bob"), order(3, "bob"))
        scenario.then_sent(PaymentCompleted, PaymentFailed)

    play(scene)


def test_an_order_sent_twice_is_paid_once() -> None:
    async def scene(scenario: Scenario[Accounts]) -> None:
        placed = deliver(order(30))
        await scenario.when(placed, placed)
        await scenario.when(placed)
        assert scenario.state.credit["ada"] == 70
        scenario.then_duplicates(2)

    play(scene)


def test_an_order_of_nobody_is_a_dead_letter_and_others_are_paid() -> None:
    async def scene(scenario: Scenario[Accounts]) -> None:
        strange = deliver(order(30, "nobody"), key="order-1")
        await scenario.when(strange, order(30))
        scenario.then_sent(PaymentCompleted)
        scenario.then_parked(("order-1", "failed"))
        scenario.then_dead_letters(("order-1", "failed"))
        assert scenario.dead_letters[0].error_text == "nobody has no account"

    play(scene)


def test_a_cancellation_that_comes_too_early_is_tried_again() -> None:
    async def scene(scenario: Scenario[Accounts]) -> None:
        placed = order(30)
        await scenario.when(deliver(cancelled(placed), key="another"))
        scenario.then_parked(("another", "failed"))
        await scenario.when(placed)
        await scenario.after(seconds=1)
        scenario.then_parked()
        assert scenario.state.credit["ada"] == 100

    play(scene)


def test_nothing_that_happens_on_the_way_changes_what_is_paid() -> None:
    async def scene(scenario: Scenario[Accounts]) -> None:
        orders = [order(10) for _ in range(4)]
        done = await scenario.torment(
            *orders,
            *map(cancelled, orders[:2]),
            order(1, "bob"),
            order(1, "nobody"),
            ignoring=("payment_id",),
        )
        assert min(done.happened.values()) > 0
        assert scenario.state.credit["ada"] == 80
        assert len(scenario.sent) == 5

    play(scene)


def test_a_handler_that_depends_on_who_comes_first_is_found_out() -> None:
    async def scene(scenario: Scenario[Accounts]) -> None:
        await scenario.torment(order(3, "bob"), order(4, "bob"), ignoring=("payment_id",))

    with pytest.raises(AssertionError, match="are not those of an undisturbed delivery"):
        play(scene)
