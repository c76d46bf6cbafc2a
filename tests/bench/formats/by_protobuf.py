"""Protobuf by the pinned runtime, whose messages are C beneath; the classes are made of `messages.proto`."""

import tempfile
from collections.abc import Mapping
from datetime import UTC
from decimal import Decimal
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any
from uuid import UUID

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from google.protobuf.internal import api_implementation
from grpc_tools import protoc

from schemas.message import Message
from schemas.messages.orders import ConfirmOrder, Fulfilment, OrderCreated, OrderLine, Pricing
from schemas.messages.users import UserSignedUp
from tests.bench.errors import BenchError
from tests.bench.formats.format import Format

PROTO = Path(__file__).with_name("messages.proto")
IN_C = "upb"
FULFILMENTS = {
    Fulfilment.UNKNOWN: 0,
    Fulfilment.CHOREOGRAPHY: 1,
    Fulfilment.ORCHESTRATION: 2,
}
BY_NUMBER = {number: form for form, number in FULFILMENTS.items()}


def of(message: Message) -> Format:
    known = type(message)
    own, fill, read, make = _classes()[known.__name__], _FILL[known], _READ[known], _MAKE[known]
    parse = own.FromString
    return Format(
        own=fill(own, message),
        write=own.SerializeToString,
        read=lambda data: read(parse(data)),
        encode=lambda message: fill(own, message).SerializeToString(),
        decode=lambda data: make(parse(data)),
    )


@cache
def _classes() -> Mapping[str, Any]:
    """Return the classes by their names.

    Raises:
        BenchError: the proto does not compile, or the runtime is another one than is measured.
    """
    if api_implementation.Type() != IN_C:
        raise BenchError(
            f"protobuf runs as {api_implementation.Type()}, and {IN_C} is to be measured; "
            "unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION"
        )
    with tempfile.TemporaryDirectory(prefix="tailrace-bench-") as directory:
        described = Path(directory, "messages.binpb")
        status = protoc.main(
            [
                "protoc",
                f"-I{PROTO.parent}",
                f"-I{resources.files('grpc_tools') / '_proto'}",
                "--include_imports",
                f"--descriptor_set_out={described}",
                str(PROTO),
            ]
        )
        if status:
            raise BenchError(f"{PROTO.name} does not compile; the compiler has said why above.")
        files = FileDescriptorSet.FromString(described.read_bytes()).file
    found = message_factory.GetMessages(list(files), descriptor_pool.DescriptorPool())
    return {name.rsplit(".", 1)[1]: made for name, made in found.items()}


def _fill_order(own: Any, order: OrderCreated) -> Any:
    filled = own(
        order_id=str(order.order_id),
        customer_id=order.customer_id,
        currency=order.currency,
        total=str(order.total),
        placed_at=order.placed_at,
        fulfilment=FULFILMENTS[order.fulfilment],
    )
    add = filled.lines.add
    for line in order.lines:
        add(
            sku=line.sku,
            quantity=line.quantity,
            unit_price=str(line.unit_price),
            tax_rate=None if line.tax_rate is None else str(line.tax_rate),
            tax=None if line.tax is None else str(line.tax),
            digital=line.digital,
        )
    if (pricing := order.pricing) is not None:
        filled.pricing.tier = pricing.tier
        filled.pricing.is_fallback = pricing.is_fallback
        filled.pricing.discount = str(pricing.discount)
    return filled


def _read_order(order: Any) -> object:
    lines = [
        (
            line.sku,
            line.quantity,
            line.unit_price,
            line.tax_rate if line.HasField("tax_rate") else None,
            line.tax if line.HasField("tax") else None,
            line.digital,
        )
        for line in order.lines
    ]
    pricing = order.pricing if order.HasField("pricing") else None
    if pricing is not None:
        pricing = (pricing.tier, pricing.is_fallback, pricing.discount)
    return (
        order.order_id,
        order.customer_id,
        order.currency,
        lines,
        order.total,
        (order.placed_at.seconds, order.placed_at.nanos),
        order.fulfilment,
        pricing,
    )


def _make_order(order: Any) -> OrderCreated:
    pricing = order.pricing if order.HasField("pricing") else None
    return OrderCreated(
        order_id=UUID(order.order_id),
        customer_id=order.customer_id,
        currency=order.currency,
        lines=tuple(
            OrderLine(
                sku=line.sku,
                quantity=line.quantity,
                unit_price=Decimal(line.unit_price),
                tax_rate=Decimal(line.tax_rate) if line.HasField("tax_rate") else None,
                tax=Decimal(line.tax) if line.HasField("tax") else None,
                digital=line.digital,
            )
            for line in order.lines
        ),
        total=Decimal(order.total),
        placed_at=order.placed_at.ToDatetime(UTC),
        fulfilment=BY_NUMBER[order.fulfilment],
        pricing=None
        if pricing is None
        else Pricing(
            tier=pricing.tier,
            is_fallback=pricing.is_fallback,
            discount=Decimal(pricing.discount),
        ),
    )


def _fill_sign_up(own: Any, user: UserSignedUp) -> Any:
    return own(user_id=str(user.user_id), email=user.email, signed_up_at=user.signed_up_at)


def _read_sign_up(user: Any) -> object:
    return user.user_id, user.email, (user.signed_up_at.seconds, user.signed_up_at.nanos)


def _make_sign_up(user: Any) -> UserSignedUp:
    return UserSignedUp(
        user_id=UUID(user.user_id),
        email=user.email,
        signed_up_at=user.signed_up_at.ToDatetime(UTC),
    )


def _fill_command(own: Any, command: ConfirmOrder) -> Any:
    return own(order_id=str(command.order_id), payment_id=str(command.payment_id))


def _make_command(command: Any) -> ConfirmOrder:
    return ConfirmOrder(order_id=UUID(command.order_id), payment_id=UUID(command.payment_id))


_FILL: Mapping[type[Message], Any] = {
    OrderCreated: _fill_order,
    UserSignedUp: _fill_sign_up,
    ConfirmOrder: _fill_command,
}
_READ: Mapping[type[Message], Any] = {
    OrderCreated: _read_order,
    UserSignedUp: _read_sign_up,
    ConfirmOrder: lambda command: (command.order_id, command.payment_id),
}
_MAKE: Mapping[type[Message], Any] = {
    OrderCreated: _make_order,
    UserSignedUp: _make_sign_up,
    ConfirmOrder: _make_command,
}
