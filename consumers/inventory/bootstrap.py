"""Wires the inventory service together; nothing is built anywhere else."""

from consumers.inventory.answers import InventoryAnswers
from consumers.inventory.commands import InventoryCommands
from consumers.inventory.handlers import InventoryHandlers
from consumers.inventory.settings import OwnSettings
from consumers.inventory.storekeeper import Storekeeper
from schemas.messages.inventory import ItemsReleased, ItemsReserved, OutOfStock, Stock
from tailrace import Consumer, Outside, Table, WorkerSettings


class Settings(WorkerSettings, OwnSettings):
    """Settings of the inventory service."""


def create_consumer(settings: Settings, outside: Outside) -> Consumer:
    storekeeper = Storekeeper(settings.default_stock)
    events, commands = InventoryHandlers(storekeeper), InventoryCommands(storekeeper)
    return Consumer(
        name="inventory-worker",
        handlers=[
            events.remember_lines,
            events.reserve,
            events.put_back,
            events.send_off,
            commands.reserve,
            commands.release,
            commands.top_up,
        ],
        answers=[InventoryAnswers(settings.default_stock).tell_stock],
        sends=[ItemsReserved, OutOfStock, ItemsReleased, Stock],
        parallel_partitions=1,  # orders of all partitions take from the same articles
        tables={
            "stock": Table(adds_up=True),
            "reservation": Table(
                key=("order_id",),
                leave_out=frozenset({"reservation_id", "updated_at"}),
            ),
        },
    )
