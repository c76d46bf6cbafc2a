"""Schema ids without a registry: those of the messages that this code was built with."""

from collections.abc import Iterable
from functools import cache

from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.contracts import canonical
from schemas.message import Message
from schemas.messages import ALL
from schemas.registry import UnknownSchemaError


class LocalSchemas:
    """Answers like a registry that holds the catalogue's messages in this code's version, and nothing else."""

    def id_of(self, name: str) -> int:
        """Return the id of a message's schema, which is its place in the catalogue."""
        try:
            return catalogue().messages.index(name) + 1
        except ValueError:
            raise UnknownSchemaError(f"the catalogue lists no message {name}") from None

    def schema_of(self, schema_id: int) -> str:
        if not 1 <= schema_id <= len(catalogue().messages):
            raise UnknownSchemaError(f"schema id {schema_id} is unknown")
        return canonical(catalogue().messages[schema_id - 1])


def local_codec(messages: Iterable[type[Message]]) -> Codec:
    return Codec(LocalSchemas(), messages)


@cache
def codec_of_all() -> Codec:
    return local_codec(ALL)
