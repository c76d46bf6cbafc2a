"""What people have decided about single messages, so that a rebuild comes to what they decided."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdc.database import Connection
from cdc.kafka_record import KafkaRecord
from cdc.sql import load_queries
from consumers.runtime.intake import id_text

QUERIES = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class ManualEdits:
    """What is not to be handled as it was sent."""

    skipped: frozenset[str] = frozenset()
    edited: Mapping[str, bytes] = field(default_factory=dict)  # id -> the value that counts
    # ids of messages that are parked or in the stash: their effect is still to come, or never will
    waiting: frozenset[str] = frozenset()

    @classmethod
    async def read(cls, connection: Connection, consumer: str) -> "ManualEdits":
        """Return them as they stand in the live schema that a connection leads to."""
        skipped: set[str] = set()
        edited: dict[str, bytes] = {}
        who = {"consumer": consumer}
        cursor = await connection.execute(QUERIES["amendments"], who)
        for message_id, action, new_value in await cursor.fetchall():
            if action == "skip":
                skipped.add(message_id)
            else:
                edited[message_id] = bytes(new_value)
        cursor = await connection.execute(QUERIES["waiting_ids"], who)
        waiting = frozenset(row[0] for row in await cursor.fetchall())
        return cls(frozenset(skipped), edited, waiting)

    def __bool__(self) -> bool:
        return bool(self.skipped or self.edited or self.waiting)

    def applied(self, record: KafkaRecord) -> KafkaRecord | None:
        """Return a record as people have decided; None when it is not to be handled."""
        message_id = id_text(dict(record.headers).get("ce_id") or b"")
        if message_id is None:
            return record
        if self.leaves_out(message_id):
            return None
        value = self.edited.get(message_id)
        return record if value is None else record._replace(value=value)

    def leaves_out(self, message_id: str) -> bool:
        """Tell whether a message is not to be handled."""
        return message_id in self.skipped or message_id in self.waiting
