"""The messages that are measured."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from schemas.message import Message
from schemas.messages.orders import ConfirmOrder, OrderCreated, OrderLine, Pricing
from schemas.messages.users import UserSignedUp

AT = datetime(2026, 11, 28, 17, 40, tzinfo=UTC) + timedelta(microseconds=123_456)
ORDER, PAYMENT, USER = (UUID(int=0x019A_D4B0_1C2D_7000_8000_0123_4567_89AB + n) for n in range(3))
MEMBERS = (OrderCreated, UserSignedUp, ConfirmOrder)


def order_of(lines: int) -> OrderCreated:
    """Return an order whose lines differ, as those of people do: else a compressor would show off."""
    ordered = tuple(
        OrderLine(
            sku=f"book-{n * 7919 % 10_007}",
            quantity=n % 5 + 1,
            unit_price=Decimal(n * 2399 % 9_000 + 99).scaleb(-2).quantize(Decimal("0.0001")),
            tax_rate=Decimal("0.190000"),
            tax=Decimal(n * 455 % 4_000 + 19).scaleb(-2).quantize(Decimal("0.0001")),
        )
        for n in range(1, lines + 1)
    )
    return OrderCreated(
        order_id=ORDER,
        customer_id=str(USER),
        currency="EUR",
        lines=ordered,
        total=sum((line.quantity * line.unit_price for line in ordered), Decimal("0.0000")),
        placed_at=AT,
        pricing=Pricing(tier="gold", is_fallback=False, discount=Decimal("1.2500")),
    )


MESSAGES: Mapping[str, Message] = {
    "order_1": order_of(1),
    "order_10": order_of(10),
    "order_100": order_of(100),
    "sign_up": UserSignedUp(user_id=USER, email="ada@shop.example", signed_up_at=AT),
    "command": ConfirmOrder(order_id=ORDER, payment_id=PAYMENT),
}
