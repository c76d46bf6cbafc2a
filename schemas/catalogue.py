"""The topic catalogue: which topics exist, who owns them and which messages they carry."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


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
    """

    name: str
    owner: str
    aggregate: str
    partitions: int
    retention_hours: int
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All topics, by name, and the way from a message's full name to its topic."""

    topics: Mapping[str, Topic]

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


def parse(text: str) -> Catalogue:
    """Read a catalogue from TOML.

    Raises:
        ValueError: a key is missing or unknown, or two topics carry the same message.
    """
    topics = {name: _topic(name, entry) for name, entry in tomllib.loads(text)["topics"].items()}
    catalogue = Catalogue(topics)
    repeated = {name for name in catalogue.messages if catalogue.messages.count(name) > 1}
    if repeated:
        raise ValueError(f"declared on more than one topic: {', '.join(sorted(repeated))}")
    return catalogue


@cache
def catalogue() -> Catalogue:
    """The catalogue that ships with this code, read once."""
    return parse(resources.files(__package__).joinpath("catalogue.toml").read_text())


def _topic(name: str, entry: dict[str, object]) -> Topic:
    messages = entry.pop("messages", None)
    if not isinstance(messages, list):
        raise ValueError(f"topic {name} of the catalogue needs a list of messages")
    try:
        return Topic(name=name, messages=tuple(messages), **entry)  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"topic {name} of the catalogue is malformed: {error}") from error
