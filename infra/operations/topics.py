"""Topics: those of the catalogue, and the last records of any."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain

from cdc import topics
from cdc.tail import Tail, TailedRecord
from cdc.text import text_of
from infra.deployment import Deployment
from infra.errors import RequestError
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.registry import SchemaStore


@dataclass(frozen=True, slots=True, kw_only=True)
class TailRequest:
    """The last records of a topic, of one key or one message if so asked; then the new ones, if it is to follow."""

    topic: str
    count: int
    key: bytes | None = None
    type: str | None = None
    follow: bool = False


def summaries(deployment: Deployment) -> Sequence[topics.Summary]:
    return topics.summaries(deployment.kafka_bootstrap)


@contextmanager
def tail(deployment: Deployment, request: TailRequest) -> Iterator[Iterator[TailedRecord]]:
    require_types([request.topic], [request.type] if request.type else [])
    text = None if request.key is None else text_of(request.key)

    def wanted(record: TailedRecord) -> bool:
        return text in {None, record.key} and request.type in {None, record.type}

    codec = Codec(SchemaStore(deployment.registry, deployment.schema_cache), [])
    reader = Tail(deployment.kafka_bootstrap, request.topic, codec)
    is_filtered = text is not None or request.type is not None
    try:
        last = reader.last(request.count, wanted if is_filtered else None)
        yield chain(last, filter(wanted, reader.follow()) if request.follow else ())
    finally:
        reader.close()


def require_types(names: Sequence[str], types: Sequence[str]) -> None:
    """Refuse to look for messages that the topics cannot carry."""
    declared = [catalogue().topics[topic] for topic in names if topic in catalogue().topics]
    if len(declared) < len(names):
        return  # a topic that the catalogue does not know may carry anything
    known = [name for topic in declared for name in topic.messages]
    if unknown := [name for name in types if name not in known]:
        raise RequestError(
            f"{', '.join(names)} carries no {', '.join(unknown)}; it carries {', '.join(known)}."
        )
