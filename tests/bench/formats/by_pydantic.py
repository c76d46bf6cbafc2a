"""JSON as the services read and write it: by pydantic, which checks every value on the way in."""

from pydantic import TypeAdapter

from schemas.message import Message
from tests.bench.formats.format import Format


def of(message: Message) -> Format:
    adapter = TypeAdapter(type(message))
    return Format(
        own=message,
        write=adapter.dump_json,
        read=adapter.validate_json,
        encode=adapter.dump_json,
        decode=adapter.validate_json,
    )
