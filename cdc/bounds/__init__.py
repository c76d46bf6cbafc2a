"""Bounds of what may be written to an outbox: what cannot be published is refused in the writer's transaction.

The limit on a message is declared in the catalogue, and everything that carries messages is configured from it.
"""

from collections.abc import Sequence
from typing import Any

import psycopg

from schemas.catalogue import OVERHEAD_BYTES, catalogue

CONSTRAINTS = frozenset(
    {
        "outbox_topic_declared",
        "outbox_message_fits",
        "outbox_time_representable",
        "outbox_event_follows",
    }
)
"""What the outbox's triggers name as violated, see `ddl/2_times.sql`."""

FIXED_BYTES = 260
"""Names of the headers, and values of those that are as long in every message; the same number as in the trigger."""

SENDER_BYTES = len("1.0") + len("/") + 63
"""What the database adds when a message is published: a version and the name of a role, which is never longer."""


class MessageRefusedError(ValueError):
    """A message could never be published, or its event would leave a gap in the log of its aggregate."""


def largest() -> int:
    """Return what a row may have at most to be tried.

    It is more than an outbox takes; rows of before there was a limit may have it.
    """
    return catalogue().message_bytes + OVERHEAD_BYTES // 2


def size_of(*parts: bytes | str | None) -> int:
    """Return how large a message is with its key and headers, as the outbox counts it."""
    return FIXED_BYTES + sum(
        len(part.encode() if isinstance(part, str) else part) for part in parts if part
    )


def require_fitting(size: int, topic: str) -> None:
    most = catalogue().message_bytes
    if size > most:
        raise MessageRefusedError(
            f"a message of {size:,} bytes for {topic} is larger than the limit of {most:,} bytes for key, value and "
            "headers together; split it, or send a reference to what is large"
        )


def admitted() -> dict[str, int]:
    """Return the topics that an outbox is to admit -> how many bytes a message for it may have."""
    declared = catalogue()
    return {
        topic.name: declared.message_bytes for topic in declared.topics.values() if topic.messages
    }


def declare(connection: psycopg.Connection[Any]) -> Sequence[str]:
    """Bring the topics that an outbox admits into step with the catalogue.

    Returns:
        Topics that are new, have another limit, or are gone; nothing for a schema without an outbox.
    """
    [[table]] = connection.execute("select to_regclass('outbox_topic')").fetchall()
    if table is None:
        return []
    wanted = admitted()
    gone = connection.execute(
        "delete from outbox_topic where name <> all(%s) returning name", [list(wanted)]
    ).fetchall()
    changed = connection.execute(
        "insert into outbox_topic as known (name, max_bytes)"
        " select * from unnest(%s::text[], %s::int[])"
        " on conflict (name) do update set max_bytes = excluded.max_bytes"
        " where known.max_bytes <> excluded.max_bytes returning name",
        [list(wanted), list(wanted.values())],
    ).fetchall()
    return [str(name) for (name,) in (*gone, *changed)]
