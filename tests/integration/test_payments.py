"""What payments does about each message, on tables of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import pytest

from consumers.payments.bootstrap import Settings as PaymentSettings
from consumers.payments.bootstrap import create_consumer
from consumers.payments.processor import Charge, SimulatedCardProcessor
from consumers.testing.records import deliver
from schemas.messages.orders import OrderCreated
from schemas.messages.payments import (
    AuthorisePayment,
    CapturePayment,
    DeclineReason,
    PaymentCompleted,
    PaymentDeclined,
    PaymentFailed,
    PaymentRefunded,
    RefundPayment,
    VoidPayment,
)
from tailrace import PostgresDatabase, Scenario
from tests.fulfilment import (
    cancelled,
    command,
    orchestrated,
    placed,
    playing,
    replies,
    statuses,
)
from tests.stack import RunningStack

NEW_EACH_TIME = ("payment_id", "settled_at", "completed_at", "failed_at", "refunded_at")


def play(stack: RunningStack, scene: Callable[[Scenario[Any]], Awaitable[None]]) -> None:
    async def run() -> None:
        async with playing(stack, "payments") as scenario:
            await scene(scenario)

    asyncio.run(run())


def authorise(order: OrderCreated, customer_id: str = "ada") -> AuthorisePayment:
    return AuthorisePayment(
        order_id=order.order_id, customer_id=customer_id, currency="EUR", amount=order.total
    )


def test_what_was_taken_is_given_back_once_when_the_order_is_cancelled(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        taken, declined = placed(), placed(customer_id="declined-bob")
        await scenario.when(taken, declined)
        await scenario.when(cancelled(taken), cancelled(declined), cancelled(taken))
        scenario.then_sent(PaymentCompleted, PaymentFailed, PaymentRefunded)
        refund = scenario.sent[-1]
        assert isinstance(refund, PaymentRefunded)
        assert (refund.amount, refund.currency) == (Decimal(5), "EUR")
        assert scenario.outbox[-1].version == 2
        assert statuses(scenario, "payment") == {
            taken.order_id: "refunded",
            declined.order_id: "failed",
        }

    play(stack, scene)


def test_an_order_is_not_charged_that_waits_for_commands_or_was_cancelled_first(
    stack: RunningStack,
) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        waiting, early = orchestrated(), placed()
        await scenario.when(waiting, cancelled(early))
        await scenario.when(early)
        scenario.then_sent()
        assert statuses(scenario, "payment") == {early.order_id: "withdrawn"}

    play(stack, scene)


def test_commands_are_carried_out_once_and_answered_each_time(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        order = orchestrated()
        hold, take = authorise(order), CapturePayment(order_id=order.order_id)
        refund = RefundPayment(order_id=order.order_id)
        for each in (take, hold, hold, take, take, refund, refund, hold, take):
            await scenario.when(command(each, order.order_id))
        assert replies(scenario) == [
            "PaymentDeclined",
            *("PaymentAuthorised", "PaymentAuthorised"),
            *("PaymentCaptured", "PaymentCaptured"),
            *("PaymentRefunded", "PaymentRefunded"),
            *("PaymentDeclined", "PaymentDeclined"),
        ]
        assert statuses(scenario, "payment") == {order.order_id: "refunded"}

    play(stack, scene)


def test_commands_that_come_together_are_answered_each_for_itself(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        held, early, broke, unknown = (orchestrated() for _ in range(4))
        await scenario.when(cancelled(early))
        holds = [command(authorise(each), each.order_id) for each in (held, early, held)]
        await scenario.when(*holds, command(authorise(broke, "broke-eve"), broke.order_id))
        takes = [
            command(CapturePayment(order_id=each.order_id), each.order_id)
            for each in (held, unknown, broke)
        ]
        await scenario.when(*takes)
        assert replies(scenario) == [
            *("PaymentAuthorised", "PaymentDeclined", "PaymentAuthorised", "PaymentDeclined"),
            *("PaymentCaptured", "PaymentDeclined", "PaymentDeclined"),
        ]
        assert statuses(scenario, "payment") == {
            held.order_id: "completed",
            early.order_id: "withdrawn",
            broke.order_id: "failed",
        }

    play(stack, scene)


def test_what_is_held_is_let_go_of_also_before_it_is_held(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        held, early, by_event = orchestrated(), orchestrated(), orchestrated()
        await scenario.when(command(authorise(held), held.order_id))
        await scenario.when(command(VoidPayment(order_id=held.order_id), held.order_id))
        await scenario.when(command(VoidPayment(order_id=early.order_id), early.order_id))
        await scenario.when(command(authorise(early), early.order_id))
        assert replies(scenario) == [
            *("PaymentAuthorised", "PaymentVoided"),
            *("PaymentVoided", "PaymentDeclined"),
        ]
        await scenario.when(command(authorise(by_event), by_event.order_id))
        await scenario.when(cancelled(by_event))
        assert statuses(scenario, "payment") == {
            held.order_id: "voided",
            early.order_id: "withdrawn",
            by_event.order_id: "voided",
        }

    play(stack, scene)


def test_a_refusal_says_why(stack: RunningStack) -> None:
    async def scene(scenario: Scenario[Any]) -> None:
        order = orchestrated()
        await scenario.when(command(authorise(order, "broke-eve"), order.order_id))
        [refusal] = scenario.sent
        assert isinstance(refusal, PaymentDeclined)
        assert refusal.reason == "insufficient_funds"

    play(stack, scene)


def test_money_moves_once_whatever_happens(stack: RunningStack) -> None:
    """Also outside: what the card processor holds and has taken in the end is what the rows say."""
    book: dict[str, str] = {}

    class Books:
        """Keeps what the card processor was asked for, as it would: by key."""

        def party(self, name: str, real: Any, stand_in: Any) -> Any:
            return stand_in(lambda action, key, details: book.update({key: action}))

    async def run() -> None:
        settings = PaymentSettings(
            database_url=stack.database_url("payments"),
            kafka_bootstrap="",
            registry_url="",
            schema_cache=stack.settings.schema_cache,
        )
        database = PostgresDatabase(
            owner_url=stack.database_url("tailrace_owner"),
            url=settings.database_url,
            packages=["consumers.payments.migrations"],
        )
        async with database:
            scenario = Scenario(create_consumer(settings, Books()), database)
            orders = [placed() for _ in range(4)]
            done = await scenario.torment(
                *orders, *map(cancelled, orders[:2]), ignoring=NEW_EACH_TIME
            )
            assert min(done.happened.values()) > 0
            assert [book[str(each.order_id)] for each in orders] == [
                *("refund", "refund"),
                *("charge", "charge"),
            ]

    asyncio.run(run())


class CardWithCredit(SimulatedCardProcessor):
    """Declines what is more than the credit of a customer, of which all counts that is held or was taken."""

    def __init__(self, credit: Decimal) -> None:
        super().__init__(limit=credit)
        self._credit = credit
        self._used: dict[str, Charge] = {}

    async def authorise(self, charge: Charge) -> DeclineReason | None:
        others = [
            each.amount for each in self._used.values() if each.customer_id == charge.customer_id
        ]
        if sum(others, charge.amount) > self._credit:
            return DeclineReason.INSUFFICIENT_FUNDS
        self._used[charge.idempotency_key] = charge
        return None

    async def void(self, idempotency_key: str) -> None:
        self._used.pop(idempotency_key, None)


class OutsideWith:
    """Outside there is one card processor."""

    def __init__(self, processor: CardWithCredit) -> None:
        self._processor: Any = processor

    def party(self, name: str, real: Callable[[], Any], stand_in: Callable[..., Any]) -> Any:
        return self._processor


@pytest.mark.parametrize("one_at_a_time", [False, True])
def test_an_order_is_not_declined_for_what_another_one_holds_and_gives_up(
    stack: RunningStack, *, one_at_a_time: bool
) -> None:
    """Without turns it is: the card has credit for one of the two, and the first one is given up."""

    async def run() -> None:
        card = OutsideWith(CardWithCredit(Decimal(8)))
        async with playing(stack, "payments", card, one_order_at_a_time=one_at_a_time) as scenario:
            first, second, stranger = (orchestrated() for _ in range(3))
            await scenario.when(
                command(authorise(first), first.order_id),
                command(authorise(second), second.order_id),
                command(authorise(stranger, "bob"), stranger.order_id),
            )
            void = VoidPayment(order_id=first.order_id)
            await scenario.when(command(void, first.order_id))
            await scenario.after(seconds=0)
            last = "authorised" if one_at_a_time else "failed"
            assert statuses(scenario, "payment") == {
                first.order_id: "voided",
                second.order_id: last,
                stranger.order_id: "authorised",
            }

    asyncio.run(run())


def test_whatever_ends_an_order_at_payments_frees_the_card(stack: RunningStack) -> None:
    async def run() -> None:
        async with playing(stack, "payments", one_order_at_a_time=True) as scenario:
            captured, voided, refunded, dropped, declined, last = (orchestrated() for _ in range(6))
            broke = AuthorisePayment(
                order_id=declined.order_id, customer_id="ada", currency="EUR", amount=Decimal(10**9)
            )
            orders = (captured, voided, refunded, dropped)
            await scenario.when(
                *(command(authorise(each), each.order_id) for each in orders),
                command(broke, declined.order_id),
                command(authorise(last), last.order_id),
            )
            ends = (
                command(CapturePayment(order_id=captured.order_id), captured.order_id),
                command(VoidPayment(order_id=voided.order_id), voided.order_id),
                command(RefundPayment(order_id=refunded.order_id), refunded.order_id),
                deliver(cancelled(dropped)),
            )
            for order, end in zip(orders, ends, strict=True):
                assert statuses(scenario, "payment")[order.order_id] == "authorised"
                await scenario.when(end)
                await scenario.after(seconds=0)
            # the one that was declined never had it
            assert statuses(scenario, "payment")[declined.order_id] == "failed"
            assert statuses(scenario, "payment")[last.order_id] == "authorised"

    asyncio.run(run())
