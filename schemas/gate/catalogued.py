"""Where files and catalogue do not agree: messages without schema, schemas without topic, messages that are gone."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from schemas.catalogue import DEFAULT_COMPATIBILITY, PROMISES, Topic
from schemas.gate.avro.model import Record
from schemas.gate.finding import Finding
from schemas.gate.json_text import line_in
from schemas.gate.modes import Mode
from schemas.gate.tree import CATALOGUE, Files, path_of

Entry = dict[str, Any]
"""What a catalogue says of a topic."""


@dataclass(frozen=True, slots=True)
class Promises:
    """What a catalogue says of messages, read leniently: an older one may lack what today's must have."""

    topics: dict[str, Entry]
    promised: dict[str, dict[str, Any]]  # by message
    is_readable: bool = True

    @classmethod
    def of(cls, files: Files) -> Promises:
        """Return those of a state of the repository; none if it has no catalogue that can be read."""
        try:
            content = tomllib.loads(files.get(CATALOGUE, ""))
        except (tomllib.TOMLDecodeError, RecursionError):
            return cls({}, {}, is_readable=False)
        topics = {name: _topic(entry) for name, entry in _tables(content, "topics").items()}
        return cls(topics, _tables(content, "messages"))

    @property
    def messages(self) -> set[str]:
        return {name for entry in self.topics.values() for name in entry["messages"]}

    def mode(self, message: str) -> Mode:
        declared = self.promised.get(message, {}).get("compatibility")
        return Mode(declared if declared in [*PROMISES] else DEFAULT_COMPATIBILITY)

    def topics_of(self, message: str) -> tuple[str, ...]:
        return tuple(name for name, entry in self.topics.items() if message in entry["messages"])

    def consumers(self, message: str, *topics: str) -> tuple[str, ...]:
        """Return those who handle a message that comes by some topics, each once."""
        groups = [group for topic in topics for group in self.topics[topic]["consumers"].items()]
        return tuple(dict.fromkeys(name for name, handled in groups if message in handled))


def _tables(content: dict[str, Any], name: str) -> dict[str, dict[str, Any]]:
    found = content.get(name)
    members = found.items() if isinstance(found, dict) else ()
    return {key: each for key, each in members if isinstance(each, dict)}


def _topic(entry: Entry) -> Entry:
    """Return what a topic says in the form that it must have; what has another form is passed over."""
    groups = entry.get("consumers")
    members = groups.items() if isinstance(groups, dict) else ()
    retention, partitions = entry.get("retention_hours"), entry.get("partitions")
    words = {"owner": "", "aggregate": "", "kind": "events"}
    return {
        **{word: str(entry.get(word, usual)) for word, usual in words.items()},
        "partitions": partitions if isinstance(partitions, int) else 0,
        "messages": _names(entry.get("messages")),
        "consumers": {group: _names(handled) for group, handled in members},
        "retention_hours": retention if isinstance(retention, int) else -1,
    }


def _names(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def removed(name: str, promises: Promises, prefix: str) -> Finding:
    topics = promises.topics_of(name)
    readers = " and ".join(promises.consumers(name, *topics)) or "nobody by the catalogue"
    kept = " and ".join(f"{each} keeps its events for {_kept(promises, each)}" for each in topics)
    return Finding(
        subject=name,
        rule="message-removed",
        problem=f"the message was removed; {kept}, and they are handled by {readers}",
        fix='Bring it back; withdraw its promise with compatibility = "NONE" in the catalogue, and delete it '
        "in a later change, when nothing writes it any more and the topic's retention has passed",
        file=prefix + CATALOGUE,
        line=1,
    )


def _kept(promises: Promises, topic: str) -> str:
    hours = promises.topics[topic]["retention_hours"]
    return f"{hours} h" if hours >= 0 else "good"


def moved(
    name: str, before: Promises, now: Sequence[str], catalogue: str, prefix: str
) -> Iterator[Finding]:
    """Yield a finding for each topic that carried a message and is not among those that do now."""
    was = before.topics_of(name)
    new = " and ".join(each for each in now if each not in was)
    for topic in (each for each in was if each not in now):
        readers = " and ".join(before.consumers(name, topic)) or "whoever reads it"
        what = f"moved from {topic} to {new}" if new else f"no longer on {topic}"
        order = ", and its events are no longer in one order with the others" if new else ""
        yield Finding(
            subject=name,
            rule="message-moved",
            problem=f"{what}; as deployed, {readers} waits for it in {topic} and gets no more of it{order}",
            fix=f'Leave it in {topic}; or withdraw its promise with compatibility = "NONE" in the catalogue, and '
            "deploy its consumers with the new catalogue before its producer",
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
    return line_in(catalogue, catalogue.find(f'"{name}"'))


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
