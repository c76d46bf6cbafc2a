"""What people have decided about single messages, so that a rebuild comes to what they decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cdc.database import Connection
from cdc.kafka_record import KafkaRecord
from cdc.sql import load_queries
from consumers.replay.source import Batch, Fetch, Source

QUERIES = load_queries(__package__)


@dataclass(frozen=True, slots=True)
class ManualEdits:
    """What is not to be handled as it was sent."""

    skipped: frozenset[str] = frozenset()
    edited: Mapping[str, bytes] = field(default_factory=dict)  # id -> the value that counts
    # ids of messages that are parked: their effect is still to come, or never will
    parked: frozenset[str] = frozenset()

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
        cursor = await connection.execute(QUERIES["parked_ids"], who)
        parked = frozenset(row[0] for row in await cursor.fetchall())
        return cls(frozenset(skipped), edited, parked)

    def __bool__(self) -> bool:
        return bool(self.skipped or self.edited or self.parked)

    def leaves_out(self, message_id: str) -> bool:
        """Tell whether a message is not to be handled."""
        return message_id in self.skipped or message_id in self.parked


class EditedSource:
    """A source whose messages are as people have decided."""

    def __init__(self, source: Source, amendments: ManualEdits) -> None:
        self._source = source
        self._amendments = amendments
        self.begin = source.begin
        self.origin = source.origin
        self.complaint = source.complaint
        self.close = source.close

    def fetch(self) -> Fetch | None:
        fetched = self._source.fetch()
        if fetched is None or not self._amendments:
            return fetched
        batches = [Batch(place, self._amend(records)) for place, records in fetched.batches]
        return Fetch([batch for batch in batches if batch.records], fetched.read)

    def _amend(self, records: Sequence[KafkaRecord]) -> list[KafkaRecord]:
        amended: list[KafkaRecord] = []
        for record in records:
            message_id = (dict(record.headers).get("ce_id") or b"").decode(errors="replace")
            if not self._amendments.leaves_out(message_id):
                value = self._amendments.edited.get(message_id)
                amended.append(record if value is None else record._replace(value=value))
        return amended
