"""What loyalty does, each in the transaction that it is given."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from producers.loyalty.domain import Account
from tailrace import Connection, load_queries

QUERIES = load_queries(__package__)


async def find(user_id: UUID, connection: Connection) -> Account | None:
    """Return the account of a user; None when there is no such user, as far as loyalty has heard."""
    async with connection.cursor(row_factory=class_row(Account)) as cursor:
        await cursor.execute(QUERIES["find"], {"user_id": user_id})
        return await cursor.fetchone()


async def open_accounts(signed_up_at: Mapping[UUID, datetime], connection: Connection) -> None:
    """Open accounts for users who have signed up."""
    # in one order, so that two workers which write the same accounts do not wait for each other in a circle
    users = sorted(signed_up_at)
    values = {"user_ids": users, "signed_up_at": [signed_up_at[each] for each in users]}
    await connection.execute(QUERIES["open"], values)


async def add_points(orders: Iterable[tuple[UUID, datetime]], connection: Connection) -> None:
    """Add a point for each order. Who ordered may not be known as a user yet, and may never be.

    Args:
        orders: Customer of each order, and when it was confirmed.
    """
    found = sorted(orders)
    points = Counter(customer_id for customer_id, _ in found)
    latest = dict(found)
    values = {
        "user_ids": list(points),
        "points": list(points.values()),
        "updated_at": [latest[each] for each in points],
    }
    await connection.execute(QUERIES["add_points"], values)
