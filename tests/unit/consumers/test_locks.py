"""What a consumer may declare of locks, and how targets and sagas are called."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from consumers.payments.bootstrap import CARD, Settings, create_consumer
from consumers.runtime.consumer import Consumer
from consumers.runtime.handlers import handles
from consumers.runtime.locking.lock import LONGEST, Lock, short
from consumers.runtime.outside import RealOutside
from consumers.runtime.work import Work
from schemas.messages.payments import (
    AuthorisePayment,
    CapturePayment,
    PaymentCaptured,
    PaymentVoided,
    VoidPayment,
)


@handles(AuthorisePayment)
async def authorise(_: AuthorisePayment, work: Work) -> None: ...


@handles(CapturePayment)
async def capture(_: CapturePayment, work: Work) -> None: ...


def lock(name: str = "card", **changes: Any) -> Lock:
    usual: dict[str, Any] = {
        "takes": {AuthorisePayment: lambda command: command.customer_id},
        "freed_by": [CapturePayment],
    }
    return Lock(name=name, **usual | changes)


def consumer(*locks: Lock) -> Consumer:
    return Consumer(
        name="payments-worker", handlers=[authorise, capture], sends=[PaymentCaptured], locks=locks
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"takes": {}}, "needs commands that take it"),
        ({"freed_by": []}, "and what frees it"),
        ({"freed_by": [CapturePayment, AuthorisePayment]}, "taken and freed by"),
        ({"lease": timedelta(0)}, "a lease of some length"),
    ],
)
def test_a_lock_without_sense_is_refused(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        lock(**changes)


@pytest.mark.parametrize(
    ("locks", "told"),
    [
        ((lock(), lock()), "two locks of one name"),
        ((lock(), lock("purse")), "that one command takes"),
        ((lock(takes={VoidPayment: str}),), r"payments\.VoidPayment, which it neither"),
        ((lock(freed_by=[PaymentVoided]),), r"payments\.PaymentVoided, which it neither"),
    ],
)
def test_a_consumer_locks_by_what_it_handles_and_answers(
    locks: tuple[Lock, ...], told: str
) -> None:
    with pytest.raises(ValueError, match=told):
        consumer(*locks)
    assert consumer(lock(freed_by=[PaymentCaptured])).locks


def test_payments_lock_cards_only_when_they_are_told_to() -> None:
    def locks(**settings: Any) -> Any:
        told = Settings(
            database_url="postgresql://",
            registry_url="http://registry",
            kafka_bootstrap="kafka:9092",
            schema_cache=Path("nowhere"),
            **settings,
        )
        return create_consumer(told, RealOutside()).locks

    assert (list(locks()), list(locks(one_order_at_a_time=True))) == ([], [CARD])


def test_long_names_are_cut_and_stay_different() -> None:
    assert short("ada") == "ada"
    assert short("a\0b") == "a\\x00b"
    longs = {short("x" * (LONGEST + number)) for number in range(1, 4)}
    assert len(longs) == 3
    assert max(map(len, longs)) < LONGEST + 70
