"""Wires the shipping service together; nothing is built anywhere else."""

from consumers.shipping.commands import cancel_shipment, create_shipment
from consumers.shipping.handlers import cancel_shipments, create_shipments
from schemas.messages.shipping import ShipmentCancelled, ShipmentCreated, ShipmentRejected
from tailrace import Consumer, Outside, Table, WorkerSettings


class Settings(WorkerSettings):
    """Settings of the shipping service."""


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    return Consumer(
        name="shipping-worker",
        handlers=[create_shipments, cancel_shipments, create_shipment, cancel_shipment],
        sends=[ShipmentCreated, ShipmentRejected, ShipmentCancelled],
        tables={
            "shipment": Table(
                key=("order_id",),
                leave_out=frozenset({"shipment_id", "updated_at"}),
            )
        },
    )
