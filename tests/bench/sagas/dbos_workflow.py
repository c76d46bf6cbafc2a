"""The reference: an order's three steps as a workflow of DBOS, each a transaction that writes the rows that ours write.

A program in an environment of its own, of which it knows nothing but a URL. It works off the queue `sagas`, and runs an
order for each line that it reads at once; DBOS's threads are faster here than its coroutines.
"""

import json
import os
import sys

from dbos import DBOS, SQLAlchemyDatasource
from sqlalchemy import text

AT_ONCE = 32
LOOK_S = 0.02

URL = os.environ["DBOS_URL"]
ROWS = SQLAlchemyDatasource.create(URL, engine_kwargs={"pool_size": AT_ONCE})

PAYMENT = text(
    "insert into payments.payment (payment_id, order_id, currency, amount, status, settled_at, version) "
    "values (gen_random_uuid(), :order_id, 'EUR', :amount, 'completed', now(), 1)"
)
STOCK = text(
    "update inventory.stock set on_hand = on_hand - :units, reserved = reserved + :units where sku = :sku"
)
RESERVATION = text(
    "insert into inventory.reservation (reservation_id, order_id, status, items, paid, updated_at, version) "
    "values (gen_random_uuid(), :order_id, 'reserved', cast(:items as jsonb), true, now(), 1)"
)
SHIPMENT = text(
    "insert into shipping.shipment (shipment_id, order_id, status, items, updated_at, version) "
    "values (gen_random_uuid(), :order_id, 'created', cast(:items as jsonb), now(), 1)"
)


@ROWS.transaction(isolation_level="READ COMMITTED")
def charge(order_id: str, amount: str) -> None:
    ROWS.sql_session().execute(PAYMENT, {"order_id": order_id, "amount": amount})


@ROWS.transaction(isolation_level="READ COMMITTED")
def reserve(order_id: str, sku: str, units: int) -> None:
    ROWS.sql_session().execute(STOCK, {"sku": sku, "units": units})
    ROWS.sql_session().execute(
        RESERVATION, {"order_id": order_id, "items": json.dumps({sku: units})}
    )


@ROWS.transaction(isolation_level="READ COMMITTED")
def ship(order_id: str, sku: str, units: int) -> None:
    ROWS.sql_session().execute(SHIPMENT, {"order_id": order_id, "items": json.dumps({sku: units})})


@DBOS.workflow(name="fulfil")
def fulfil(order_id: str, sku: str, units: int, amount: str) -> None:
    charge(order_id, amount)
    reserve(order_id, sku, units)
    ship(order_id, sku, units)


def tell(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def main() -> None:
    DBOS(
        config={
            "name": "sagas",
            "system_database_url": URL,
            "log_level": "ERROR",
            "max_executor_threads": 2 * AT_ONCE,
        }
    )
    DBOS.launch()
    DBOS.register_queue("sagas", worker_concurrency=AT_ONCE, polling_interval_sec=LOOK_S)
    tell("ready")
    for line in sys.stdin:
        fulfil(*json.loads(line))
        tell("done")


if __name__ == "__main__":
    main()
