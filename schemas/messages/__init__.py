"""The message classes, one module a context, generated from the Avro schemas. Do not edit."""

from schemas.message import Message
from schemas.messages import canary, consumers, orders, payments

ALL: tuple[type[Message], ...] = (
    orders.OrderCreated,
    orders.OrderConfirmed,
    orders.OrderCancelled,
    payments.PaymentCompleted,
    payments.PaymentFailed,
    canary.CanaryEmitted,
    consumers.MessageDeadLettered,
)
"""Every message class, in the catalogue's order."""
