"""Messages for tests that are about something else than what the messages say."""

from dataclasses import replace
from typing import Any, TypeVar

from schemas.contracts import avsc, reader_avsc
from schemas.datum import DatumReader
from schemas.gate.avro.parse import record
from schemas.json_form import JsonForm
from schemas.message import Message
from schemas.samples import sample

M = TypeVar("M", bound=Message)


def sample_of(message: type[M], **fields: Any) -> M:
    """Return a message that has something in every field, the same each time."""
    pinned = message.READER
    document = reader_avsc(pinned, message.NAME) if pinned else avsc(message.NAME)
    datum = JsonForm(document).write(sample(document))
    made: Any = message.from_avro(DatumReader(record(document), tagged=True).read(datum))
    changed: M = replace(made, **fields)
    return changed
