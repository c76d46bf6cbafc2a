"""From records as fetched to messages as handlers take them: told apart, judged and decoded, before any transaction."""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from cdc.tracing.spans import recorder
from consumers.runtime.consumer import Consumer
from consumers.runtime.delivery import (
    MalformedRecordError,
    Record,
    expiry_of,
    place_of,
    replay_of,
)
from consumers.runtime.failures import TooOldError, UnhandledTypeError
from consumers.runtime.handlers import Handler
from consumers.runtime.handling_trace import begin_trace
from consumers.runtime.received import Received
from consumers.runtime.type_counts import TypeCounts
from consumers.runtime.window import InboxWindow
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.datum import UndecodableError
from schemas.registry import RegistryUnavailableError

SLICE = 100
"""Records decoded between two looks at the event loop: a few milliseconds, so that the database hardly ever waits."""

_is_uuid7 = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
).fullmatch


class Intake:
    """Prepares records for one consumer.

    An event that no handler takes is ignored, so that its sender may add a type without asking every consumer. A
    command or a reply is addressed to this consumer, so that one which no handler takes is an error.

    Args:
        consumer: Its dispatch table.
        codec: Decodes the handled messages.
        window: Which ids its inbox can keep.

    Attributes:
        ignored: Counts events that no handler takes.
        expired: Counts messages that came after they had expired, which nothing is done about.
    """

    def __init__(self, consumer: Consumer, codec: Codec, window: InboxWindow) -> None:
        self.ignored = TypeCounts(consumer.name, "no handler for this type: ignored")
        self.expired = TypeCounts(consumer.name, "expired: dropped")
        self._consumer = consumer
        self._codec = codec
        self._window = window
        self._table: Mapping[bytes, Handler] = {
            name.encode(): handler for name, handler in consumer.table.items()
        }
        self._addressed = catalogue().addressed
        self._records = recorder() is not None

    async def prepare(self, records: Sequence[Record]) -> list[Received[Any]]:
        """Tell apart, judge and decode records, giving way to other work now and then.

        Args:
            records: Records of one partition in their order.

        Raises:
            RegistryUnavailableError: a schema is new here and the registry cannot be asked for it.
        """
        await learn_schemas(self._codec, [record.value for record in records])
        prepared: list[Received[Any]] = []
        for start in range(0, len(records), SLICE):
            if start:
                await asyncio.sleep(0)
            prepared += [self._prepare(record) for record in records[start : start + SLICE]]
        return prepared

    async def prepare_again(self, record: Record, attempt: int) -> Received[Any]:
        """Prepare a parked record for another attempt; age and identity were judged when it was parked.

        Args:
            record: The record as it was delivered.
            attempt: Number of the attempt.

        Raises:
            RegistryUnavailableError: the schema is new here and the registry cannot be asked for it.
        """
        await learn_schemas(self._codec, [record.value])
        headers = dict(record.headers)
        message_id, name = id_text(headers.get("ce_id") or b"") or "", headers.get("ce_type")
        if name is None:
            return self._malformed(record, None, "it has no header ce_type")
        return self._traced(self._decoded(record, headers, message_id, name, attempt), headers)

    def _prepare(self, record: Record) -> Received[Any]:
        headers = dict(record.headers)
        message_id, name = headers.get("ce_id"), headers.get("ce_type")
        if message_id is None or name is None:
            missing = "ce_id" if message_id is None else "ce_type"
            return self._malformed(record, name, f"it has no header {missing}")
        text = id_text(message_id)
        if text is None or not self._window.begins_before(text):
            return self._malformed(
                record,
                name,
                f"an inbox keeps UUIDs of version 7 that were made by now, and its ce_id is {message_id!r}",
            )
        if not self._window.remembers(text):
            error = TooOldError(
                f"the message {text} at {place_of(record)} is older than the inbox remembers; whether it took "
                "effect before cannot be told"
            )
            return self._not_told_apart(record, name, error)
        return self._traced(self._decoded(record, headers, text, name, 1), headers)

    def _traced(
        self, received: Received[Any], headers: Mapping[str, bytes | None]
    ) -> Received[Any]:
        if self._records and received.concerns_us and received.message_id:
            received.trace = begin_trace(headers)
        return received

    def _malformed(self, record: Record, name: bytes | None, why: str) -> Received[Any]:
        error = MalformedRecordError(
            f"the record at {place_of(record)} is no message of an outbox: {why}"
        )
        return self._not_told_apart(record, name, error)

    def _not_told_apart(
        self, record: Record, name: bytes | None, error: Exception
    ) -> Received[Any]:
        """Return a record that cannot be told from its repetition, which matters only if there is something to do."""
        if name is None:
            return Received(record, "", None, error=error)
        if name not in self._table and self._unhandled(record, name) is None:
            return Received(record, "", _text(name))
        return Received(record, "", _text(name), error=error)

    def _decoded(
        self,
        record: Record,
        headers: Mapping[str, bytes | None],
        message_id: str,
        name: bytes,
        attempt: int,
    ) -> Received[Any]:
        handler = self._table.get(name)
        if handler is None:
            unhandled = self._unhandled(record, name)
            return Received(record, message_id, _text(name), error=unhandled, attempt=attempt)
        wanted = handler.message.NAME
        error: Exception
        try:
            if self._is_too_late(headers):
                self.expired.note(name)
                return Received(record, message_id, wanted, attempt=attempt)
            message = self._codec.decode(record.value or b"")
        except RegistryUnavailableError:
            raise
        except Exception as reason:  # noqa: BLE001 - whatever is wrong with one record is told with that record
            error = reason
        else:
            if wanted == message.NAME:
                return Received(record, message_id, wanted, handler, message, None, attempt)
            error = UndecodableError(
                f"the headers announce {wanted}, and the bytes hold {message.NAME}"
            )
        return Received(record, message_id, wanted, handler, None, error, attempt)

    def _is_too_late(self, headers: Mapping[str, bytes | None]) -> bool:
        """Tell whether a message has expired; in a replay it comes late on purpose."""
        expires_at = expiry_of(headers)
        return (
            expires_at is not None
            and replay_of(headers) is None
            and self._consumer.clock() >= expires_at
        )

    def _unhandled(self, record: Record, name: bytes) -> UnhandledTypeError | None:
        """Return the error of what is addressed to us and no handler takes; count an event, which is no error."""
        if record.topic not in self._addressed:
            self.ignored.note(name)
            return None
        return UnhandledTypeError(
            f"{self._consumer.name} has no handler for {_text(name)}, which was sent to it at {place_of(record)}"
        )


async def learn_schemas(codec: Codec, values: Iterable[bytes | None]) -> None:
    """Fetch schemas that are new here off the event loop, which must go on while the registry takes its time.

    Raises:
        RegistryUnavailableError: the registry cannot be asked.
    """
    for schema_id in codec.unknown_schema_ids(values):
        await asyncio.to_thread(codec.learn, schema_id)


def _text(name: bytes) -> str:
    return name.decode(errors="backslashreplace")


def id_text(header: bytes) -> str | None:
    """Return a UUIDv7 as Postgres writes it, None when the header is none."""
    if _is_uuid7(header):
        return header.decode()
    try:
        known = UUID(header.decode())
    except ValueError:
        return None
    return str(known) if known.version == 7 else None
