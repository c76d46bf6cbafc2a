"""The topic catalogue: which topics exist, who owns them and which messages they carry."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

DEFAULT_COMPATIBILITY = "FULL_TRANSITIVE"
"""Events are kept for good and read by programs of any age, so every version must read every other."""

PROMISES = frozenset(
    {"NONE"} | {a + b for a in ("BACKWARD", "FORWARD", "FULL") for b in ("", "_TRANSITIVE")}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One Kafka topic as `catalogue.toml` declares it.

    Args:
        name: Topic name, `<aggregate>.events` for events.
        owner: Service whose outbox alone feeds it.
        aggregate: Kind of thing that a record's key identifies.
        partitions: Number of partitions, the upper bound of a consumer group's parallelism.
        retention_hours: How long Kafka keeps a record.
        messages: Full names of the Avro records it carries.
        consumers: Consumer groups that read it, and the messages that each handles.
    """

    name: str
    owner: str
    aggregate: str
    partitions: int
    retention_hours: int
    messages: tuple[str, ...]
    consumers: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All topics, by name, and the way from a message's full name to its topic.

    Args:
        topics: The topics by name.
        compatibility: What messages promise that promise something else than `DEFAULT_COMPATIBILITY`.
    """

    topics: Mapping[str, Topic]
    compatibility: Mapping[str, str]

    @property
    def messages(self) -> tuple[str, ...]:
        """Full names of all messages, in the catalogue's order."""
        return tuple(name for topic in self.topics.values() for name in topic.messages)

    def topic_of(self, message: str) -> Topic:
        """Return the one topic that carries a message.

        Raises:
            LookupError: no topic declares the message.
        """
        for topic in self.topics.values():
            if message in topic.messages:
                return topic
        raise LookupError(f"no topic of the catalogue carries {message}; add it to catalogue.toml")

    def consumers_of(self, message: str) -> tuple[str, ...]:
        """Return the consumer groups that handle a message.

        Raises:
            LookupError: no topic declares the message.
        """
        consumers = self.topic_of(message).consumers
        return tuple(name for name, handled in consumers.items() if message in handled)

    def compatibility_of(self, message: str) -> str:
        """Return what a message's versions promise each other, by the registries' name for it."""
        return self.compatibility.get(message, DEFAULT_COMPATIBILITY)


def parse(text: str) -> Catalogue:
    """Read a catalogue from TOML.

    Raises:
        ValueError: a key is missing or unknown, or two topics carry the same message.
    """
    document = tomllib.loads(text)
    topics = {name: _topic(name, entry) for name, entry in document["topics"].items()}
    catalogue = Catalogue(topics, _compatibility(document.get("messages", {})))
    unknown = set(catalogue.compatibility) - set(catalogue.messages)
    if unknown:
        raise ValueError(f"promised but on no topic: {', '.join(sorted(unknown))}")
    repeated = {name for name in catalogue.messages if catalogue.messages.count(name) > 1}
    if repeated:
        raise ValueError(f"declared on more than one topic: {', '.join(sorted(repeated))}")
    return catalogue


@cache
def catalogue() -> Catalogue:
    """The catalogue that ships with this code, read once."""
    return parse(resources.files(__package__).joinpath("catalogue.toml").read_text())


def _topic(name: str, entry: dict[str, Any]) -> Topic:
    consumers = {group: tuple(handled) for group, handled in entry.pop("consumers", {}).items()}
    try:
        messages = tuple(entry.pop("messages"))
        topic = Topic(name=name, messages=messages, consumers=consumers, **entry)
    except (KeyError, TypeError) as error:
        raise ValueError(f"topic {name} of the catalogue is malformed: {error}") from error
    strange = {message for handled in consumers.values() for message in handled} - set(messages)
    if strange:
        raise ValueError(
            f"topic {name} does not carry {', '.join(sorted(strange))} for its consumers"
        )
    return topic


def _compatibility(entries: dict[str, dict[str, str]]) -> dict[str, str]:
    for name, entry in entries.items():
        if set(entry) != {"compatibility"} or entry["compatibility"] not in PROMISES:
            raise ValueError(
                f"message {name} of the catalogue takes compatibility, one of {sorted(PROMISES)}"
            )
    return {name: entry["compatibility"] for name, entry in entries.items()}
