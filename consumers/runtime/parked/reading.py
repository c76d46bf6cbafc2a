"""Finding parked messages, and looking into them."""

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.rows import dict_row

from cdc.kafka_record import Headers
from cdc.sql import load_queries
from consumers.runtime.parked.message import (
    Action,
    Content,
    Found,
    Group,
    Parked,
    RecordPosition,
    Totals,
)
from consumers.runtime.parked.selection import Selection

QUERIES = load_queries(__package__)
TOTAL = "all_"

Connection = psycopg.Connection[Any]
"""A connection of a service's role, in autocommit."""


class ParkedMessages:
    """The parked messages of one service's schema.

    Args:
        connection: Leads to it.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def find(self, selection: Selection, limit: int | None = None) -> Found:
        """Return the messages that are meant, oldest first.

        Args:
            selection: Which are meant.
            limit: Most messages to return.
        """
        messages, totals = [], Totals()
        for row in self._rows("find", selection.parameters() | {"limit": limit}):
            counts = {name: row.pop(name) for name in list(row) if name.startswith(TOTAL)}
            totals = Totals(**{name.removeprefix(TOTAL): n for name, n in counts.items()})
            messages.append(Parked(**row))
        return Found(messages, totals)

    def groups(self) -> list[Group]:
        """Return how many messages failed alike, of those that are first of their keys."""
        return [Group(**row) for row in self._rows("groups", {})]

    def content(self, message: Parked) -> Content | None:
        """Return what a message consists of; None when it is not parked any more."""
        for row in self._rows("content", {"parked_id": message.parked_id}):
            return Content(headers=_headers(row), **row)
        return None

    def others(self, message: Parked, limit: int) -> list[tuple[RecordPosition, str | None]]:
        """Return places and types of the other messages of a message's sequence, in their order.

        Args:
            message: The message.
            limit: Most messages to return.
        """
        parameters = {
            "sequence_id": message.sequence_id,
            "parked_id": message.parked_id,
            "limit": limit,
        }
        return [
            (RecordPosition(row["topic"], row["partition"], row["offset"]), row["type"])
            for row in self._rows("sequence", parameters)
        ]

    def actions(
        self,
        *,
        consumer: str | None = None,
        place: RecordPosition | None = None,
        topic: str | None = None,
        key: bytes | None = None,
        action: str | None = None,
        limit: int | None = None,
    ) -> list[Action]:
        """Return what was done, newest first.

        Args:
            consumer: Only about messages of this consumer.
            place: Only about this message.
            topic: Only about messages of this topic.
            key: Only about messages of this key.
            action: Only `retry`, `edit` or `skip`.
            limit: Most actions to return.
        """
        where = place._asdict() if place else {"topic": topic, "partition": None, "offset": None}
        parameters = {"consumer": consumer, "key": key, "action": action, "limit": limit}
        return [
            Action(headers=_headers(row), **row)
            for row in self._rows("actions", where | parameters)
        ]

    def consumers(self) -> set[str]:
        """Return the names of whoever was ever at work in this schema."""
        return {row["consumer"] for row in self._rows("consumers", {})}

    def dead(self) -> dict[str, int]:
        """Return how many dead letters each consumer has; those that have none are left out."""
        return {row["consumer"]: row["count"] for row in self._rows("dead", {})}

    def messages(self) -> dict[tuple[str, ...], int]:
        """Return how many messages are parked, by consumer and reason; there are none of others."""
        rows = self._rows("messages", {})
        return {(row["consumer"], row["reason"]): row["count"] for row in rows}

    def keys(self) -> dict[tuple[str, ...], int]:
        """Return how many keys are held up, by consumer and status; there are none of others."""
        rows = self._rows("keys", {})
        return {(row["consumer"], row["status"]): row["count"] for row in rows}

    def _rows(self, query: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(QUERIES[query], parameters).fetchall()


def _headers(row: dict[str, Any]) -> Headers:
    """Take the headers out of a row."""
    return list(zip(row.pop("header_names"), row.pop("header_values"), strict=True))
