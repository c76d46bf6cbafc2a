"""What a service declares of itself as a consumer: its name and which function takes which message."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cdc.database import Connection
from consumers.runtime.delivery import Delivery
from schemas.catalogue import catalogue
from schemas.message import Message

Handler = Callable[[Any, Delivery, Connection], Awaitable[None]]
"""Takes a message, what is known of its delivery, and the connection whose open transaction carries the effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consumer:
    """A consumer group and its dispatch table.

    Args:
        name: Name of the consumer, also its Kafka consumer group.
        handlers: The function that takes each message class.
        ignores: Message classes that share the topics and are of no interest here. A type that is in neither is an
            error: a message nobody decided about is not dropped.
    """

    name: str
    handlers: Mapping[type[Message], Handler]
    ignores: frozenset[type[Message]] = frozenset()

    def __post_init__(self) -> None:
        both = self.ignores & set(self.handlers)
        if both:
            raise ValueError(
                f"{self.name} both handles and ignores {', '.join(m.NAME for m in both)}"
            )

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics that carry the handled messages."""
        return tuple(sorted({catalogue().topic_of(message.NAME).name for message in self.handlers}))

    def handler_by_type(self) -> Mapping[str, Handler]:
        """The dispatch table by the message's full name."""
        return {message.NAME: handler for message, handler in self.handlers.items()}

    def ignored_types(self) -> frozenset[str]:
        """Full names of the ignored messages."""
        return frozenset(message.NAME for message in self.ignores)
