"""Avro as events travel: the codec of the product, with the five bytes that name the schema."""

from consumers.testing.schemas import local_codec
from schemas.message import Message
from tests.bench.formats.format import Format


def of(message: Message) -> Format:
    codec = local_codec([type(message)])
    codec.resolve()
    # a message comes out whole: what is read has been made into the class already
    return Format(
        own=message,
        write=codec.encode,
        read=codec.decode,
        encode=codec.encode,
        decode=codec.decode,
    )
