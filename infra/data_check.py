"""Reads real records with the schemas of the working tree: what rules allow may still meet data that do not fit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cdc.tail import Tail, TailedRecord
from infra.deployment import Deployment
from schemas.codec import HEADER, Codec
from schemas.datum import UndecodableError
from schemas.gate.sources import catalogue, record, whole
from schemas.gate.tree import Files, path_of
from schemas.registry import SchemaStore


@dataclass(frozen=True, slots=True)
class TopicCheck:
    """The last records of one topic: how many were read, and those that would not decode."""

    topic: str
    read: int
    undecodable: tuple[TailedRecord, ...]


class TreeCodec(Codec):
    """Decodes with the schemas of a working tree as the readers', by the upcasters that consumers use."""

    def __init__(self, store: SchemaStore, files: Files, messages: tuple[str, ...]) -> None:
        super().__init__(store, [])
        for name in messages:
            self._schemas[name] = record(whole(path_of(name), files))

    def decode_datum(self, data: bytes) -> tuple[str, Mapping[str, Any]]:
        """Return the record name and the fields as the working tree's schema has them."""
        writer = self._writer(data)
        if writer.name not in self._schemas:
            raise UndecodableError(f"{writer.name} is in no catalogue of the working tree")
        return writer.name, writer.read(data, HEADER.size)


def check_topics(deployment: Deployment, files: Files, last: int) -> list[TopicCheck]:
    declared = catalogue(files)
    store = SchemaStore(deployment.registry, deployment.schema_cache)
    codec = TreeCodec(store, files, tuple(filter(lambda m: path_of(m) in files, declared.messages)))
    topics = [topic.name for topic in declared.topics.values() if topic.messages]
    return [_check_topics(deployment.kafka_bootstrap, topic, codec, last) for topic in topics]


def _check_topics(bootstrap: str, topic: str, codec: Codec, last: int) -> TopicCheck:
    tail = Tail(bootstrap, topic, codec)
    try:
        records = tail.last(last)
    finally:
        tail.close()
    return TopicCheck(topic, len(records), tuple(each for each in records if each.error))
