"""What a consumer declares of itself, and what is refused."""

from typing import Any

import pytest

from cdc.due import RetryPolicy
from consumers.runtime.answering.reading import Reading
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import answers, handles
from consumers.runtime.work import Work
from schemas.messages.canary import CanaryEmitted
from schemas.messages.orders import OrderCreated
from schemas.messages.payments import PaymentCompleted


@handles(OrderCreated)
async def take_order(order: OrderCreated, work: Work) -> None: ...


@handles(OrderCreated)
async def take_order_too(order: OrderCreated, work: Work) -> None: ...


@handles(PaymentCompleted)
async def take_payment(payment: PaymentCompleted, work: Work) -> None: ...


@answers(CanaryEmitted)
async def tell(question: CanaryEmitted, reading: Reading) -> CanaryEmitted:
    return question


def consumer(**changes: Any) -> Consumer:
    declared: dict[str, Any] = {"name": "c", "handlers": [take_order]}
    return Consumer(**declared | changes)


def test_topics_follow_from_the_messages_handled() -> None:
    declared = consumer(handlers=[take_payment, take_order])
    assert declared.topics == ("order.events", "payment.events")
    assert set(declared.messages) == {OrderCreated, PaymentCompleted}


def test_topics_can_be_said() -> None:
    assert consumer(topics=["copy-of-order.events"]).topics == ("copy-of-order.events",)


def test_the_table_goes_by_the_full_name() -> None:
    table = consumer().table
    assert list(table) == ["orders.OrderCreated"]
    assert table["orders.OrderCreated"].function is take_order


def test_a_message_has_one_handler() -> None:
    with pytest.raises(ValueError, match="c has two handlers for one message"):
        consumer(handlers=[take_order, take_order_too])


def test_a_request_has_one_answer_and_one_topic() -> None:
    declared = consumer(answers=[tell], sends=[CanaryEmitted])
    assert declared.answer_table["canary.CanaryEmitted"].function is tell
    assert declared.with_options(max_batch=1).answer_table == declared.answer_table
    assert "canary.CanaryEmitted" not in declared.table
    with pytest.raises(ValueError, match="c has two answers to one request"):
        consumer(answers=[tell, tell])
    with pytest.raises(ValueError, match="one topic of requests, and is on none"):
        _ = declared.request_topics


@pytest.mark.parametrize(
    "changes", [{"max_batch": 0}, {"parallel_partitions": 0}, {"parallel_answers": 0}]
)
def test_nothing_at_a_time_is_no_work(changes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="at least one"):
        consumer(**changes)


@pytest.mark.parametrize(
    "changes", [{"attempts": 0}, {"first_pause_s": -1}, {"factor": 0.5}, {"patience_s": -1}]
)
def test_a_retry_policy_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a retry policy needs"):
        RetryPolicy(**changes)


def test_pauses_grow_up_to_the_longest_and_half_of_each_is_chance() -> None:
    policy = RetryPolicy(attempts=6, first_pause_s=1, factor=10, longest_pause_s=500)
    for attempts, longest in enumerate((1, 10, 100, 500, 500), start=1):
        pauses = [policy.pause_s(attempts) or 0 for _ in range(200)]
        assert longest / 2 <= min(pauses)
        assert max(pauses) <= longest
        assert max(pauses) - min(pauses) > longest / 4


def test_after_the_last_attempt_there_is_no_pause() -> None:
    policy = RetryPolicy(attempts=2)
    assert policy.pause_s(1) is not None
    assert policy.pause_s(2) is None
    assert RetryPolicy(attempts=1).pause_s(1) is None
