"""Where files and catalogue do not agree: messages without schema, schemas without topic, messages that are gone."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

from schemas.catalogue import DEFAULT_COMPATIBILITY, PROMISES, Topic
from schemas.gate.avro.model import Record
from schemas.gate.finding import Finding
from schemas.gate.modes import Mode
from schemas.gate.tree import CATALOGUE, Files, path_of


@dataclass(frozen=True, slots=True)
class Promises:
    """What a catalogue says of messages, read leniently: an older one may lack what today's must have."""

    content: dict[str, Any]
    is_readable: bool = True

    @classmethod
    def of(cls, files: Files) -> Promises:
        """Return those of a state of the repository; none if it has no catalogue that can be read."""
        try:
            content = tomllib.loads(files.get(CATALOGUE, ""))
        except (tomllib.TOMLDecodeError, RecursionError):
            return cls({}, is_readable=False)
        topics = {name: _topic(entry) for name, entry in _tables(content, "topics").items()}
        return cls({"topics": topics, "messages": _tables(content, "messages")})

    @property
    def messages(self) -> set[str]:
        topics = self.content.get("topics", {}).values()
        return {name for entry in topics for name in entry.get("messages", ())}

    def mode(self, message: str) -> Mode:
        declared = self.content.get("messages", {}).get(message, {}).get("compatibility")
        return Mode(declared if declared in [*PROMISES] else DEFAULT_COMPATIBILITY)

    def topic(self, message: str) -> tuple[str, dict[str, Any]] | None:
        """Return the topic that carries a message, by name and with its entry."""
        topics = self.content.get("topics", {}).items()
        return next((each for each in topics if message in each[1].get("messages", ())), None)

    def consumers(self, message: str) -> tuple[str, ...]:
        _, entry = self.topic(message) or ("", {})
        groups = entry.get("consumers", {})
        return tuple(name for name, handled in groups.items() if message in handled)


def _tables(content: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    found = content.get(name)
    members = found.items() if isinstance(found, dict) else ()
    return {key: each for key, each in members if isinstance(each, dict)}


def _topic(entry: dict[str, Any]) -> dict[str, Any]:
    """Return what a topic says in the form that it must have; what has another form is passed over."""
    groups = entry.get("consumers")
    members = groups.items() if isinstance(groups, dict) else ()
    retention = entry.get("retention_hours")
    return entry | {
        "messages": _names(entry.get("messages")),
        "consumers": {group: _names(handled) for group, handled in members},
        "retention_hours": retention if isinstance(retention, int) else -1,
    }


def _names(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def removed(name: str, promises: Promises, prefix: str) -> Finding:
    topic, entry = promises.topic(name) or ("its topic", {})
    readers = " and ".join(promises.consumers(name)) or "nobody by the catalogue"
    kept = f"{entry['retention_hours']} h" if entry.get("retention_hours", -1) >= 0 else "good"
    return Finding(
        subject=name,
        rule="message-removed",
        problem=f"the message was removed; {topic} keeps its events for {kept}, and they are handled by {readers}",
        fix='Bring it back; withdraw its promise with compatibility = "NONE" in the catalogue, and delete it '
        "in a later change, when nothing writes it any more and the topic's retention has passed",
        file=prefix + CATALOGUE,
        line=1,
    )


def moved(name: str, before: Promises, topic: Topic, catalogue: str, prefix: str) -> Finding | None:
    """Return the finding about a message that another topic carried before, None if none did."""
    was, _ = before.topic(name) or (topic.name, {})
    if was == topic.name:
        return None
    readers = " and ".join(before.consumers(name)) or "whoever reads it"
    return Finding(
        subject=name,
        rule="message-moved",
        problem=f"moved from {was} to {topic.name}; as deployed, {readers} waits for it in {was} and gets no more of "
        "it, and its events are no longer in one order with the others",
        fix=f'Leave it in {was}; or withdraw its promise with compatibility = "NONE" in the catalogue, and deploy its '
        "consumers with the new catalogue before its producer",
        file=prefix + CATALOGUE,
        line=_line(name, catalogue),
    )


def missing(name: str, topic: Topic, catalogue: str, prefix: str) -> Finding:
    """Return the finding about a message without a schema; `catalogue` is the catalogue's text."""
    return Finding(
        subject=name,
        rule="schema-missing",
        problem=f"{topic.name} carries it by the catalogue, and there is no {prefix}{path_of(name)}",
        fix="Add the schema, or take the message out of the catalogue",
        file=prefix + CATALOGUE,
        line=_line(name, catalogue),
    )


def _line(name: str, catalogue: str) -> int:
    return catalogue.count("\n", 0, max(catalogue.find(f'"{name}"'), 0)) + 1


def not_catalogued(name: str, path: str, prefix: str) -> Finding:
    """Return the finding about a schema of no topic; `path` is its file's below the contracts."""
    return Finding(
        subject=name,
        rule="message-not-catalogued",
        problem="no topic of the catalogue carries it, so that it is never published",
        fix=f"Add it to the messages of its topic in {prefix}{CATALOGUE}, or delete the file",
        file=prefix + path,
        line=1,
    )


def misnamed(name: str, schema: Record, file: str) -> Finding:
    """Return the finding about a schema that is called otherwise than its file."""
    return Finding(
        subject=name,
        path="/name",
        rule="name-not-of-file",
        problem=f"the record is called {schema.name}, and is found by the name of its file",
        fix=f"Call it {name}, or move the file",
        file=file,
        line=1,
    )


def useless_reader(subject: str, consumer: str, name: str, file: str) -> Finding:
    """Return the finding about a reader's schema for what the reader never gets."""
    return Finding(
        subject=subject,
        rule="reader-without-use",
        problem=f"by the catalogue {consumer} does not handle {name}",
        fix=f"Add the message to those of {consumer} in the catalogue, or delete the file",
        file=file,
        line=1,
    )
