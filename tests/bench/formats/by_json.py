"""JSON by the standard library: dictionaries, and what one writes by hand to get at amounts, ids and times."""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from schemas.message import Message
from schemas.messages.orders import ConfirmOrder, Fulfilment, OrderCreated, OrderLine, Pricing
from schemas.messages.users import UserSignedUp
from tests.bench.formats.format import Format


def of(message: Message) -> Format:
    known = type(message)
    reader, maker = _READ[known], _MAKE[known]
    return Format(
        own=json.loads(encode(message)),
        write=write,
        read=lambda data: reader(json.loads(data)),
        encode=encode,
        decode=lambda data: maker(json.loads(data)),
    )


def write(own: Any) -> bytes:
    return json.dumps(own, separators=(",", ":"), ensure_ascii=False).encode()


def encode(message: Message) -> bytes:
    text = json.dumps(
        message.to_avro(), separators=(",", ":"), ensure_ascii=False, default=_as_text
    )
    return text.encode()


def _as_text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _read_order(order: Mapping[str, Any]) -> object:
    lines = [
        (
            line["sku"],
            line["quantity"],
            line["unit_price"],
            line["tax_rate"],
            line["tax"],
            line["digital"],
        )
        for line in order["lines"]
    ]
    if (pricing := order["pricing"]) is not None:
        pricing = (pricing["tier"], pricing["is_fallback"], pricing["discount"])
    return (
        order["order_id"],
        order["customer_id"],
        order["currency"],
        lines,
        order["total"],
        order["placed_at"],
        order["fulfilment"],
        pricing,
    )


def _make_order(order: Mapping[str, Any]) -> OrderCreated:
    pricing = order["pricing"]
    return OrderCreated(
        order_id=UUID(order["order_id"]),
        customer_id=order["customer_id"],
        currency=order["currency"],
        lines=tuple(
            OrderLine(
                sku=line["sku"],
                quantity=line["quantity"],
                unit_price=Decimal(line["unit_price"]),
                tax_rate=None if line["tax_rate"] is None else Decimal(line["tax_rate"]),
                tax=None if line["tax"] is None else Decimal(line["tax"]),
                digital=line["digital"],
            )
            for line in order["lines"]
        ),
        total=Decimal(order["total"]),
        placed_at=datetime.fromisoformat(order["placed_at"]),
        fulfilment=Fulfilment(order["fulfilment"]),
        pricing=None
        if pricing is None
        else Pricing(
            tier=pricing["tier"],
            is_fallback=pricing["is_fallback"],
            discount=Decimal(pricing["discount"]),
        ),
    )


def _make_sign_up(user: Mapping[str, Any]) -> UserSignedUp:
    return UserSignedUp(
        user_id=UUID(user["user_id"]),
        email=user["email"],
        signed_up_at=datetime.fromisoformat(user["signed_up_at"]),
    )


def _make_command(command: Mapping[str, Any]) -> ConfirmOrder:
    return ConfirmOrder(order_id=UUID(command["order_id"]), payment_id=UUID(command["payment_id"]))


_READ: Mapping[type[Message], Any] = {
    OrderCreated: _read_order,
    UserSignedUp: lambda user: (user["user_id"], user["email"], user["signed_up_at"]),
    ConfirmOrder: lambda command: (command["order_id"], command["payment_id"]),
}
_MAKE: Mapping[type[Message], Any] = {
    OrderCreated: _make_order,
    UserSignedUp: _make_sign_up,
    ConfirmOrder: _make_command,
}
