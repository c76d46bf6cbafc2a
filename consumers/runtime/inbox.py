"""The inbox: which messages a consumer has already turned into an effect.

An id is admitted in the transaction of its effect, so both are kept or neither is.
"""

from collections.abc import Sequence
from uuid import UUID

from psycopg.pq import TransactionStatus

from cdc.database import Connection
from cdc.sql import load_queries

QUERIES = load_queries(__package__)


async def admit(connection: Connection, consumer: str, message_ids: Sequence[UUID]) -> set[UUID]:
    """Note messages as taken, and return those that were not taken before.

    Args:
        connection: The connection that the effects will be written on, in a transaction.
        consumer: Name of the consumer; each has its own view of what it has seen.
        message_ids: Ids as delivered, repetitions included.

    Raises:
        RuntimeError: no transaction is open, so that the ids would be noted without their effects.
    """
    if connection.info.transaction_status != TransactionStatus.INTRANS:
        raise RuntimeError("the inbox admits messages only inside the transaction of their effects")
    cursor = await connection.execute(
        QUERIES["admit"], {"consumer": consumer, "ids": list(message_ids)}
    )
    return {row[0] for row in await cursor.fetchall()}


async def advance(
    connection: Connection,
    consumer: str,
    *,
    topic: str,
    partition: int,
    next_offset: int,
    applied: int,
    duplicates: int,
) -> None:
    """Note how far a consumer has come in a partition.

    Args:
        connection: The connection that the effects were written on.
        consumer: Name of the consumer.
        topic: Topic of the batch.
        partition: Partition of the batch.
        next_offset: Offset after the batch.
        applied: Messages of the batch that took effect.
        duplicates: Messages of the batch that had taken effect before.
    """
    await connection.execute(
        QUERIES["advance"],
        {
            "consumer": consumer,
            "topic": topic,
            "partition": partition,
            "next_offset": next_offset,
            "applied": applied,
            "duplicates": duplicates,
        },
    )
