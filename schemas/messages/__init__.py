"""The message classes, one module a context, generated from the Avro schemas. Do not edit."""

from schemas.message import Message
from schemas.messages import canary, consumers, inventory, orders, payments, sagas, shipping, users

ALL: tuple[type[Message], ...] = (
    orders.OrderCreated,
    orders.OrderConfirmed,
    orders.OrderCancelled,
    payments.PaymentCompleted,
    payments.PaymentFailed,
    payments.PaymentRefunded,
    canary.CanaryEmitted,
    consumers.MessageDeadLettered,
    inventory.ItemsReserved,
    inventory.OutOfStock,
    inventory.ItemsReleased,
    shipping.ShipmentCreated,
    shipping.ShipmentRejected,
    shipping.ShipmentCancelled,
    payments.AuthorisePayment,
    payments.CapturePayment,
    payments.VoidPayment,
    payments.RefundPayment,
    inventory.ReserveItems,
    inventory.ReleaseItems,
    inventory.TopUpStock,
    shipping.CreateShipment,
    shipping.CancelShipment,
    orders.ConfirmOrder,
    orders.CancelOrder,
    payments.PaymentAuthorised,
    payments.PaymentDeclined,
    payments.PaymentCaptured,
    payments.PaymentVoided,
    sagas.DeadlinePassed,
    users.UserSignedUp,
    inventory.GetStock,
    inventory.Stock,
)
"""Every message class, in the catalogue's order."""
