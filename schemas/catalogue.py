"""The topic catalogue: which topics exist, who owns them and which messages they carry."""

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from schemas.contract_error import ContractError

DEFAULT_COMPATIBILITY = "FULL_TRANSITIVE"
"""Events are kept for good and read by programs of any age, so every version must read every other."""

MESSAGE_BYTES = 2**20
"""The limit on a message where a catalogue gives none."""

SENSIBLE_BYTES = range(2**16, 2**26 + 1)
"""What may be a limit: what we tell of our own must fit, and a broker takes requests of at most 100 MB."""

TOPIC_NAME = re.compile(r"(?!\.{1,2}\Z)[A-Za-z0-9._-]{1,249}")
"""What Kafka takes for the name of a topic."""

OVERHEAD_BYTES = 2**14
"""Room for what Kafka, its compression, and a repetition's headers of ours add to a message."""

Kind = Literal["events", "commands", "requests", "replies"]
"""Events tell of what has happened, to whom it may concern; a command asks one receiver to do something; a request asks
it what it knows, and is worth nothing once it is late; a reply tells the sender of either what came of it."""

PROMISES = frozenset(
    {"NONE"} | {a + b for a in ("BACKWARD", "FORWARD", "FULL") for b in ("", "_TRANSITIVE")}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One Kafka topic as `catalogue.toml` declares it.

    Args:
        name: Topic name, `<aggregate>.events` for events, `<service>.commands`, `<service>.requests` and
            `<service>.replies` for the others.
        owner: Of events the service whose outbox alone feeds the topic; of the others, which anybody may send, the
            service that they are for.
        aggregate: Kind of thing that a record's key identifies.
        partitions: Number of partitions, the upper bound of a consumer group's parallelism.
        retention_hours: How long Kafka keeps a record.
        messages: Full names of the Avro records it carries.
        consumers: Consumer groups that read it, and the messages that each handles.
        kind: What all of its messages are.
    """

    name: str
    owner: str
    aggregate: str
    partitions: int
    retention_hours: int
    messages: tuple[str, ...]
    consumers: Mapping[str, tuple[str, ...]]
    kind: Kind

    @property
    def takers(self) -> Mapping[str, tuple[str, ...]]:
        """Consumers that take each message once, by a position and an inbox; requests are only answered."""
        return {} if self.kind == "requests" else self.consumers

    @property
    def is_direct(self) -> bool:
        """Whether its messages go past the outbox: requests, and replies that the owner waits for, in no group."""
        return self.kind == "requests" or (self.kind == "replies" and self.owner in self.consumers)


def answering_group(consumer: str) -> str:
    """Return the Kafka consumer group in which a consumer reads requests, beside the one of its messages."""
    return f"{consumer}-answers"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All topics, by name, and the way from a message's full name to its topic.

    Args:
        topics: The topics by name.
        compatibility: What messages promise that promise something else than `DEFAULT_COMPATIBILITY`.
        message_bytes: Most bytes of a message, its key, value and headers together.
    """

    topics: Mapping[str, Topic]
    compatibility: Mapping[str, str]
    message_bytes: int = MESSAGE_BYTES

    @property
    def batch_bytes(self) -> int:
        """What brokers, topics and producers must let through, so that every message of `message_bytes` passes."""
        return self.message_bytes + OVERHEAD_BYTES

    @property
    def messages(self) -> tuple[str, ...]:
        """Full names of all messages, in the catalogue's order."""
        return tuple(
            dict.fromkeys(name for topic in self.topics.values() for name in topic.messages)
        )

    @property
    def addressed(self) -> frozenset[str]:
        """Names of the topics whose messages are for their owner alone, so that none may be passed over."""
        return frozenset(name for name, topic in self.topics.items() if topic.kind != "events")

    def topics_of(self, message: str) -> tuple[Topic, ...]:
        """Return the topics that carry a message, that of events first.

        Raises:
            LookupError: no topic declares the message.
        """
        found = [topic for topic in self.topics.values() if message in topic.messages]
        if not found:
            raise LookupError(
                f"no topic of the catalogue carries {message}; add it to catalogue.toml"
            )
        return tuple(sorted(found, key=lambda topic: topic.kind != "events"))

    def topic_of(self, message: str) -> Topic:
        """Return the topic that carries a message: that of events where it is on several.

        Raises:
            LookupError: no topic declares the message.
        """
        return self.topics_of(message)[0]

    def topic_for(self, message: str, to: str | None = None) -> Topic:
        """Return the topic that a message is to be sent to.

        Args:
            message: Full name of the message.
            to: Name of the topic; it may be left out for a message that is on one alone.

        Raises:
            LookupError: no topic declares the message.
            ValueError: it is on several and none is named, or not on the one that is named.
        """
        found = {topic.name: topic for topic in self.topics_of(message)}
        if to is None and len(found) == 1:
            return next(iter(found.values()))
        if to is None or to not in found:
            problem = "has to be told which with `to`" if to is None else f"not on {to}"
            raise ValueError(f"{message} is on {' and '.join(found)}, and {problem}")
        return found[to]

    def event_topic_of(self, message: str) -> Topic:
        """Return the topic that carries a message as an event.

        Raises:
            LookupError: no topic declares the message.
            ValueError: it is declared, but as no event.
        """
        topic = self.topic_of(message)
        if topic.kind != "events":
            raise ValueError(
                f"{message} is on {topic.name}, which has {topic.kind}: it is no event of an aggregate, and is sent"
                " with `send`"
            )
        return topic

    def request_topic_of(self, message: str) -> Topic:
        """Return the topic that a message is asked on.

        Raises:
            LookupError: no topic declares the message.
            ValueError: it is declared, but as no request, or on several topics of requests.
        """
        found = [topic for topic in self.topics_of(message) if topic.kind == "requests"]
        if len(found) != 1:
            names = " and ".join(topic.name for topic in found) or "none"
            raise ValueError(f"{message} is to be on one topic of requests, and is on {names}")
        return found[0]

    def require_replies(self, name: str) -> None:
        """Refuse a topic that no replies can be sent to.

        Raises:
            ValueError: the catalogue declares no topic of replies of this name.
        """
        if name not in self.topics or self.topics[name].kind != "replies":
            known = [topic.name for topic in self.topics.values() if topic.kind == "replies"]
            raise ValueError(
                f"{name} is no topic of replies; the catalogue has {', '.join(known) or 'none'}"
            )

    def consumers_of(self, message: str) -> tuple[str, ...]:
        """Return the consumer groups that handle a message.

        Raises:
            LookupError: no topic declares the message.
        """
        return tuple(
            dict.fromkeys(
                name
                for topic in self.topics_of(message)
                for name, handled in topic.consumers.items()
                if message in handled
            )
        )

    def compatibility_of(self, message: str) -> str:
        """Return what a message's versions promise each other, by the registries' name for it."""
        return self.compatibility.get(message, DEFAULT_COMPATIBILITY)


def parse(text: str) -> Catalogue:
    """Read a catalogue from TOML.

    Raises:
        ValueError: a table or a key is missing or unknown, a value makes no sense, two topics carry the same event, or
            a command has two receivers.
    """
    document = tomllib.loads(text)
    for table in sorted(document.keys() - _TABLES):
        raise ValueError(f"it takes no {table}, but {', '.join(_TABLES)}")
    if not _is_table_of_tables(document.get("topics")):
        raise ValueError('it has no topics, each a table such as [topics."order.events"]')
    if not _is_table_of_tables(document.get("messages", {})):
        raise ValueError('messages are not tables such as [messages."orders.OrderCreated"]')
    topics = {name: _topic(name, entry) for name, entry in document["topics"].items()}
    catalogue = Catalogue(
        topics,
        _compatibility(document.get("messages", {})),
        _message_bytes(document.get("limits", {})),
    )
    unknown = set(catalogue.compatibility) - set(catalogue.messages)
    if unknown:
        raise ValueError(f"promised but on no topic: {', '.join(sorted(unknown))}")
    events = Counter(
        name
        for topic in catalogue.topics.values()
        if topic.kind == "events"
        for name in topic.messages
    )
    repeated = sorted(name for name, times in events.items() if times > 1)
    if repeated:
        raise ValueError(f"declared on more than one topic of events: {', '.join(repeated)}")
    for name in sorted(catalogue.addressed):
        readers = catalogue.topics[name].consumers
        if len(readers) > 1:
            raise ValueError(f"{name} has one receiver, and not {' and '.join(readers)}")
    return catalogue


@cache
def catalogue() -> Catalogue:
    """The catalogue that ships with this code, read once.

    Raises:
        ContractError: it is no catalogue.
    """
    file = resources.files(__package__).joinpath("catalogue.toml")
    try:
        return parse(file.read_text("utf-8"))
    except (ValueError, RecursionError):
        return _by_the_gate(file.read_bytes().decode("utf-8", "surrogateescape"))


def _by_the_gate(text: str) -> Catalogue:
    """Read once more what could not be read: the gate says in which line that is."""
    from schemas.gate import sources  # builds upon this module

    try:
        return sources.catalogue({"catalogue.toml": text})
    except sources.MalformedFileError as error:
        raise ContractError("schemas/catalogue.toml", error.problem, error.line) from error


def _topic(name: str, entry: dict[str, Any]) -> Topic:
    if not TOPIC_NAME.fullmatch(name):
        raise ValueError(
            f"topic {name} of the catalogue: Kafka takes at most 249 of A-Z, a-z, 0-9, dot, _ and - for a name"
        )
    found = {"consumers": {}, "kind": "events"} | entry
    for key in sorted(_FORMS.keys() ^ found.keys()):
        problem = "has no" if key in _FORMS else "takes no"
        raise ValueError(f"topic {name} of the catalogue {problem} {key}")
    for key, (fits, form) in _FORMS.items():
        if not fits(found[key]):
            raise ValueError(f"topic {name} of the catalogue: {key} is not {form}")
    messages = tuple(found.pop("messages"))
    consumers = {group: tuple(handled) for group, handled in found.pop("consumers").items()}
    topic = Topic(name=name, messages=messages, consumers=consumers, **found)
    strange = {message for handled in consumers.values() for message in handled} - set(messages)
    if strange:
        raise ValueError(
            f"topic {name} does not carry {', '.join(sorted(strange))} for its consumers"
        )
    return topic


def _message_bytes(limits: Any) -> int:
    entries = limits if isinstance(limits, dict) else {"limits": limits}
    given = entries.get("message_bytes", MESSAGE_BYTES)
    # a range looks for anything but a whole number one by one
    if entries.keys() <= {"message_bytes"} and type(given) is int and given in SENSIBLE_BYTES:
        return given
    raise ValueError(
        f"the limits of the catalogue take message_bytes, from {SENSIBLE_BYTES[0]} to {SENSIBLE_BYTES[-1]}"
    )


def _is_table_of_tables(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, dict) for each in value.values())


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_some(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _is_retention(value: Any) -> bool:
    return _is_some(value) or (type(value) is int and value == -1)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value)) and len(set(value)) == len(value)


def _is_kind(value: Any) -> bool:
    return value in get_args(Kind)


def _is_handled(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_names, value.values()))


_TABLES = ("limits", "topics", "messages")
_FORMS: dict[str, tuple[Callable[[Any], bool], str]] = {
    "owner": (_is_text, "a text"),
    "aggregate": (_is_text, "a text"),
    "partitions": (_is_some, "a whole number from 1"),
    "retention_hours": (_is_retention, "a whole number from 1, or -1 for ever"),
    "messages": (_is_names, "a list of names, each once"),
    "consumers": (_is_handled, "a table of consumer groups, each with a list of names, each once"),
    "kind": (_is_kind, "events, commands, requests or replies"),
}
"""What a topic says of itself, and in which form."""


def _compatibility(entries: dict[str, dict[str, str]]) -> dict[str, str]:
    for name, entry in entries.items():
        if set(entry) != {"compatibility"} or str(entry["compatibility"]) not in PROMISES:
            raise ValueError(
                f"message {name} of the catalogue takes compatibility, one of {sorted(PROMISES)}"
            )
    return {name: entry["compatibility"] for name, entry in entries.items()}
