"""What can be done with webhook endpoints and deliveries, each in the unit of work that it is given."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from producers.webhooks import signing
from producers.webhooks.events import require_fields
from producers.webhooks.sealing import Seal, UnsealError
from tailrace import Connection, UnitOfWork, load_queries, new_id

QUERIES = load_queries(__package__)

OVERLAP_S = 24 * 3600
"""How long the former key of an endpoint signs beside its new one, in seconds."""
ON_DEMAND = "disabled on demand"
DELETED = "deleted"
TEST = "webhook.test"

Row = Mapping[str, Any]


class EndpointNotFoundError(Exception):
    """There is no such endpoint."""


class DeliveryNotFoundError(Exception):
    """There is no such delivery."""


class EndpointDisabledError(Exception):
    """Nothing can be delivered to an endpoint that is disabled."""


class DeliveryPendingError(Exception):
    """A delivery is under way as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """An endpoint that is asked for, its URL judged already."""

    url: str
    event_types: Sequence[str]
    filter: Mapping[str, Sequence[str]]
    in_order: bool
    signing: str
    description: str | None = None


def key_for(kind: str, secret: str | None) -> str:
    """Return what signs for an endpoint from now on: the secret that is given, or a new key.

    Raises:
        KeyFormatError: a secret is given that is none, or that a signature of this kind has no use for.
    """
    if kind == "ed25519":
        if secret:
            raise signing.KeyFormatError(
                "an endpoint that is signed for by ed25519 has no secret; leave it out"
            )
        return signing.new_private_key()
    if secret is None:
        return signing.new_secret()
    signing.require_secret(secret)
    return secret


async def register(asked: Registration, key: str, seal: Seal, work: UnitOfWork) -> Row:
    require_fields(asked.filter, asked.event_types)
    endpoint_id = new_id()
    return await _one(
        work.connection,
        "register",
        {
            "endpoint_id": endpoint_id,
            "url": asked.url,
            "event_types": list(dict.fromkeys(asked.event_types)),
            "filter": Jsonb(dict(asked.filter)),
            "in_order": asked.in_order,
            "signing": asked.signing,
            "public_key": signing.public_key_of(key),
            "key": seal.seal(key, endpoint_id),
            "description": asked.description,
        },
    )


async def change(endpoint_id: UUID, asked: Mapping[str, Any], work: UnitOfWork) -> Row:
    """Change what is asked for of an endpoint; what is under way is not called back.

    Args:
        asked: Fields of the endpoint -> what each is from now on, a URL judged already.
    """
    of_it = {"endpoint_id": endpoint_id}
    disabled, url = await _locked(endpoint_id, work.connection)
    row = {**await find(endpoint_id, work.connection), **asked}
    if asked.keys() & {"filter", "event_types"}:
        require_fields(row["filter"], row["event_types"])
    changed = {
        "event_types": list(dict.fromkeys(row["event_types"])),
        "filter": Jsonb(dict(row["filter"])),
        "in_order": row["in_order"],
        "description": row["description"],
    }
    await work.connection.execute(QUERIES["change"], of_it | changed)
    if row["url"] != url:
        await work.connection.execute(QUERIES["move"], of_it | {"url": row["url"]})
        await work.connection.execute(QUERIES["try_anew"], of_it)
    match asked.get("status"), disabled:
        case "disabled", None:
            await stop(endpoint_id, ON_DEMAND, work.connection)
        case "enabled", str():
            await work.connection.execute(QUERIES["enable"], of_it)
    return await find(endpoint_id, work.connection)


async def delete(endpoint_id: UUID, work: UnitOfWork) -> None:
    """Forget an endpoint. What is under way ends as it may; nothing is told of it any more."""
    await _lock(endpoint_id, work.connection)
    of_it = {"endpoint_id": endpoint_id}
    await work.connection.execute(QUERIES["delete"], of_it | {"reason": DELETED})
    await work.connection.execute(QUERIES["skip"], of_it)


async def find(endpoint_id: UUID, connection: Connection) -> Row:
    """Return an endpoint.

    Raises:
        EndpointNotFoundError: there is none.
    """
    found = await _rows(connection, "find", {"endpoint_id": endpoint_id})
    if not found:
        raise EndpointNotFoundError
    return found[0]


async def find_all(after: UUID | None, limit: int, connection: Connection) -> list[Row]:
    return await _rows(connection, "list", {"after": after, "limit": limit})


async def stop(endpoint_id: UUID, reason: str, connection: Connection) -> None:
    """Disable an endpoint that the caller has locked."""
    of_it = {"endpoint_id": endpoint_id}
    await connection.execute(QUERIES["disable"], of_it | {"reason": reason})
    await connection.execute(QUERIES["skip"], of_it)


async def rotate(endpoint_id: UUID, kind: str, key: str, seal: Seal, work: UnitOfWork) -> Row:
    """Have another key sign for an endpoint; for a day both do. One that signs already changes nothing."""
    await _lock(endpoint_id, work.connection)
    if await _signs(key, endpoint_id, seal, work.connection):
        return await find(endpoint_id, work.connection)
    await work.connection.execute(
        QUERIES["rotate"],
        {
            "endpoint_id": endpoint_id,
            "key": seal.seal(key, endpoint_id),
            "signing": kind,
            "public_key": signing.public_key_of(key),
            "overlap_s": OVERLAP_S,
        },
    )
    return await find(endpoint_id, work.connection)


async def _signs(key: str, endpoint_id: UUID, seal: Seal, connection: Connection) -> bool:
    row = await _one(connection, "key", {"endpoint_id": endpoint_id})
    try:
        return seal.open(row["key"], endpoint_id) == key
    except UnsealError:  # the file that it was sealed with is lost, which another key puts right
        return False


async def recover(endpoint_id: UUID, since: datetime, work: UnitOfWork) -> int:
    """Have all delivered, from the first attempt on, that has happened since then and has not arrived.

    Returns:
        How many deliveries that are.
    """
    await _lock_enabled(endpoint_id, work.connection)
    done = await work.connection.execute(
        QUERIES["recover"], {"endpoint_id": endpoint_id, "since": since}
    )
    return done.rowcount


async def send_test(endpoint_id: UUID, work: UnitOfWork) -> Row:
    """Have an event delivered that means nothing, whatever the endpoint wants to hear of."""
    await _lock_enabled(endpoint_id, work.connection)
    webhook_id = new_id()
    data = {"endpoint_id": str(endpoint_id)}
    return await _one(
        work.connection,
        "add",
        {
            "endpoint_id": endpoint_id,
            "webhook_id": webhook_id,
            "event_type": TEST,
            "key": str(webhook_id),
            "body": body_of(TEST, work.now().isoformat(), data),
        },
    )


async def find_deliveries(
    endpoint_id: UUID,
    status: str | None,
    before: int | None,
    limit: int,
    connection: Connection,
) -> list[Row]:
    await find(endpoint_id, connection)
    asked = {"endpoint_id": endpoint_id, "status": status, "before": before, "limit": limit}
    return await _rows(connection, "deliveries", asked)


async def find_delivery(delivery_id: int, connection: Connection) -> tuple[Row, list[Row]]:
    """Return a delivery, and the attempts at it.

    Raises:
        DeliveryNotFoundError: there is none.
    """
    found = await _rows(connection, "delivery", {"delivery_id": delivery_id})
    if not found:
        raise DeliveryNotFoundError
    return found[0], await _rows(connection, "attempts", {"delivery_id": delivery_id})


async def resend(delivery_id: int, work: UnitOfWork) -> Row:
    """Have a delivery sent again under its id, in its place before what is later of its key."""
    delivery, _ = await find_delivery(delivery_id, work.connection)
    await _lock_enabled(delivery["endpoint_id"], work.connection)
    sent = await _rows(work.connection, "resend", {"delivery_id": delivery_id})
    if not sent:
        raise DeliveryPendingError
    return sent[0]


def body_of(event_type: str, timestamp: str, data: Mapping[str, Any]) -> str:
    """Return what is sent: the same text however often, as it is what the signature is of."""
    told = {"type": event_type, "timestamp": timestamp, "data": data}
    return json.dumps(told, ensure_ascii=False, separators=(",", ":"))


async def _lock(endpoint_id: UUID, connection: Connection) -> str | None:
    """Keep everybody else from changing an endpoint; return why it is disabled."""
    reason, _ = await _locked(endpoint_id, connection)
    return reason


async def _locked(endpoint_id: UUID, connection: Connection) -> tuple[str | None, str]:
    """Do as `_lock` does, and return the URL as well."""
    rows = await _rows(connection, "lock", {"endpoint_id": endpoint_id})
    if not rows:
        raise EndpointNotFoundError
    return rows[0]["disabled_reason"], rows[0]["url"]


async def _lock_enabled(endpoint_id: UUID, connection: Connection) -> None:
    if await _lock(endpoint_id, connection) is not None:
        raise EndpointDisabledError


async def _one(connection: Connection, query: str, values: Mapping[str, Any]) -> Row:
    [row] = await _rows(connection, query, values)
    return row


async def _rows(connection: Connection, query: str, values: Mapping[str, Any]) -> list[Row]:
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(QUERIES[query], values)
        return list(await cursor.fetchall())
