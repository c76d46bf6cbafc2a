"""Wires the reacting half of orders together; nothing is built anywhere else."""

from datetime import timedelta

from consumers.orders import commands, handlers
from schemas.messages.orders import OrderCancelled, OrderConfirmed
from tailrace import Consumer, Outside, Table, WorkerSettings, load_queries


class Settings(WorkerSettings):
    """Settings of the orders worker."""


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    return Consumer(
        name="orders-worker",
        handlers=[
            handlers.on_paid,
            handlers.on_sent,
            handlers.on_not_paid,
            handlers.on_out_of_stock,
            handlers.on_not_sent,
            commands.decide,
        ],
        sends=[OrderConfirmed, OrderCancelled],
        max_batch=100,  # nobody waits for the last order of a backlog
        tables={
            "customer_order": Table(
                time="updated_at",
                before=timedelta(
                    seconds=30
                ),  # the payment was recorded before the order was changed
                leave_out=frozenset({"updated_at"}),
            )
        },
        before_a_replay=load_queries(__package__)["orders_as_placed"],
    )
