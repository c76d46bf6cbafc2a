"""Messages into the outbox, in the session of whoever writes."""

from typing import Any
from uuid import uuid4

from faststream_outbox import OutboxBroker
from sqlalchemy.ext.asyncio import AsyncSession

from tests.bench.e2e.with_faststream.tables import outbox

TOPICS = ("orders", "payments", "reservations", "shipments")

_broker = OutboxBroker(outbox_table=outbox, logger=None)


async def send(session: AsyncSession, topic: str, name: str, body: dict[str, Any]) -> None:
    """Put a message into the outbox."""
    headers = {"ce_id": str(uuid4()), "ce_type": name, "key": body["order_id"]}
    await _broker.publish(body, queue=topic, session=session, headers=headers)
