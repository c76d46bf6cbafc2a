"""What a consumer declares of itself."""

from typing import Any

import pytest

from cdc.database import Connection
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import Delivery
from schemas.messages.orders import OrderConfirmed, OrderCreated
from schemas.messages.payments import PaymentCompleted


async def take(message: Any, delivery: Delivery, connection: Connection) -> None:
    """Take a message and do nothing about it."""


def test_topics_follow_from_the_messages_handled() -> None:
    consumer = Consumer(name="c", handlers={OrderCreated: take, PaymentCompleted: take})
    assert consumer.topics == ("order.events", "payment.events")


def test_a_message_cannot_be_both_handled_and_ignored() -> None:
    with pytest.raises(ValueError, match=r"orders\.OrderConfirmed"):
        Consumer(name="c", handlers={OrderConfirmed: take}, ignores=frozenset({OrderConfirmed}))
