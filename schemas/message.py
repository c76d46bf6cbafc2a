"""What a message class looks like to everything that carries messages."""

from collections.abc import Mapping
from typing import Any, ClassVar, Protocol, Self


class Message(Protocol):
    """An immutable value whose shape an Avro record fixes. The classes are generated, see `schemas.generate`."""

    NAME: ClassVar[str]
    """Full name of the Avro record, such as `orders.OrderCreated`; also the registry subject and the `ce_type`."""

    READER: ClassVar[str | None]
    """Consumer that pinned this shape to read the message in; None for the message's own shape."""

    def to_avro(self) -> dict[str, Any]: ...

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self: ...
