"""What pages of contracts show."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from infra.deployment import Deployment
from infra.errors import RequestError
from infra.operations.contracts import show
from infra.operations.proposal import Judged, Proposal, propose
from infra.operations.schema import Version, versions
from schemas.catalogue import Catalogue, Topic, catalogue
from schemas.gate import tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """A consumer of a message; one that pins a schema of its own reads no more than its fields."""

    consumer: str
    topic: str
    pinned: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A message of the catalogue."""

    name: str
    topics: Sequence[Topic]
    promise: str
    readers: Sequence[Reader]


def subjects() -> list[Subject]:
    declared, files = catalogue(), tree.read(tree.contracts_directory())
    return [_subject(declared, files, name) for name in declared.messages]


def subject(name: str) -> Subject:
    declared = catalogue()
    if name not in declared.messages:
        raise RequestError(
            f"The catalogue has no message {name!r}; the page of schemas lists them."
        )
    return _subject(declared, tree.read(tree.contracts_directory()), name)


def published(deployment: Deployment, name: str) -> list[Version]:
    return versions(deployment, name)


def text_of(deployment: Deployment, name: str) -> str:
    directory = tree.contracts_directory()
    return show(lambda: deployment, directory, name, version=None, against=None).text


def judged(deployment: Deployment, name: str, text: str) -> Judged:
    proposal = Proposal(subject=name, text=text, directory=tree.contracts_directory())
    return propose(lambda: deployment, proposal)


def told(value: dict[str, Any], other: dict[str, Any]) -> list[tuple[str, Any, Any]]:
    """Return traits of a field before and after, side by side."""
    return [(each, value.get(each), other.get(each)) for each in dict.fromkeys((*value, *other))]


def _subject(declared: Catalogue, files: tree.Files, name: str) -> Subject:
    topics = declared.topics_of(name)
    readers = [
        Reader(
            consumer=consumer,
            topic=topic.name,
            pinned=files.get(f"{tree.READERS}{consumer}/{name}{tree.SUFFIXES[tree.READERS]}"),
        )
        for topic in topics
        for consumer, handled in topic.consumers.items()
        if name in handled
    ]
    return Subject(
        name=name, topics=topics, promise=declared.compatibility_of(name), readers=readers
    )
