"""How many deliveries the consumers have dropped because their effect existed already."""

import psycopg

from cdc.database import connect
from infra.demo.orders import DemoError
from infra.deployment import Deployment
from infra.services import WORKERS

QUERY = "select coalesce(sum(duplicates), 0)::bigint from consumer_offset where consumer = %s"


def suppressed(deployment: Deployment) -> int:
    """Return the sum over all consumers since the stack was made; each is asked as its own role."""
    return sum(_of(worker.name, worker.role, deployment) for worker in WORKERS if worker.role)


def _of(consumer: str, role: str, deployment: Deployment) -> int:
    url = deployment.database_url(role)
    try:
        with connect(url) as connection:
            row = connection.execute(QUERY, (consumer,)).fetchone()
    except psycopg.Error as error:
        raise DemoError(
            f"The offsets of {consumer} cannot be read ({' '.join(str(error).split())}); "
            "start the stack with `make up`, or see `tailrace status`."
        ) from error
    return int(row[0]) if row else 0
