"""How many deliveries the consumers have dropped because their effect existed already."""

import psycopg

from infra.demo.orders import DemoError
from infra.services import WORKERS
from infra.settings import Settings

QUERY = "select coalesce(sum(duplicates), 0)::bigint from consumer_offset where consumer = %s"
CONNECT_TIMEOUT_S = 15


def suppressed(settings: Settings) -> int:
    """Return the sum over all consumers since the stack was made; each is asked as its own role.

    Raises:
        DemoError: a database cannot be read.
    """
    return sum(_of(worker.name, worker.role, settings) for worker in WORKERS if worker.role)


def _of(consumer: str, role: str, settings: Settings) -> int:
    url = settings.database_url(role)
    try:
        with psycopg.connect(url, connect_timeout=CONNECT_TIMEOUT_S) as connection:
            row = connection.execute(QUERY, (consumer,)).fetchone()
    except psycopg.Error as error:
        raise DemoError(
            f"The offsets of {consumer} cannot be read ({' '.join(str(error).split())}); "
            "start the stack with `make up`, or see `tailrace status`."
        ) from error
    return int(row[0]) if row else 0
