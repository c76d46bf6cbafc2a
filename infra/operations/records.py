"""Records of a topic: looked for from the newest back, by key, message, header and what they say, or as they come."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from cdc.kafka import Bounds, NoTopicError
from cdc.kafka_record import KafkaRecord, Place
from cdc.search import Found, Limits, search
from cdc.tail import TailedRecord, decoded
from cdc.text import text_of
from cdc.topic_reader import TopicReader
from consumers.replay.bounds import Bound
from consumers.replay.where import Condition
from infra.deployment import Deployment
from infra.errors import RequestError, TailraceError
from infra.operations.topics import require_types
from schemas.catalogue import TOPIC_NAME
from schemas.codec import HEADER, Codec
from schemas.registry import RegistryUnavailableError, SchemaStore

MOST = 200
LOOKED_AT = 20_000
SECONDS = 5.0


class UnknownTopicError(TailraceError):
    """Kafka has no topic of the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What a record must be like; all of it."""

    topic: str
    partition: int | None = None
    key: bytes | None = None
    type: str | None = None
    headers: Sequence[tuple[str, str]] = ()  # each a name and the text that it has
    where: Sequence[Condition] = ()

    def __post_init__(self) -> None:
        require_types([self.topic], [self.type] if self.type else [])

    @property
    def is_everything(self) -> bool:
        return self.key is None and not (self.type or self.headers or self.where)


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """Which records are looked for, and before which time or offsets; where an earlier search ended, that goes on."""

    wanted: Filter
    until: Bound = field(default_factory=Bound)
    limit: int = 50
    looked_at: int = LOOKED_AT
    seconds: float = SECONDS

    def __post_init__(self) -> None:
        if not 1 <= self.limit <= MOST:
            raise RequestError(f"Ask for 1 to {MOST} records.")


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchResult:
    """What was found; and why a condition could not be held against some records, if that is so."""

    found: Found
    misfit: str | None


def find(deployment: Deployment, request: SearchRequest) -> SearchResult:
    """Return the newest records that are wanted; NoTopicError when Kafka has no such topic."""
    judge = _Judge(deployment, request.wanted)
    with TopicReader(deployment.kafka_bootstrap) as reader:
        bounds = _bounds(reader, request.wanted.topic)
        _require_known(request, bounds)
        ends = {
            place: end
            for place, end in _ends(reader, request.until, bounds).items()
            if request.wanted.partition in {None, place.partition}
        }
        limits = Limits(records=request.limit, looked_at=request.looked_at, seconds=request.seconds)
        wanted = None if request.wanted.is_everything else judge.wants
        found = search(reader, bounds, ends, judge.decode, wanted, limits)
    return SearchResult(found=found, misfit=judge.misfit)


@contextmanager
def follow(deployment: Deployment, wanted: Filter) -> Iterator[Iterator[Sequence[TailedRecord]]]:
    """Give what comes to a topic from now on, in portions, and an empty one every moment in which nothing does."""
    judge = _Judge(deployment, wanted)
    with TopicReader(deployment.kafka_bootstrap) as reader:
        ends: dict[Place, int] = {
            place: each.end
            for place, each in _bounds(reader, wanted.topic).items()
            if wanted.partition in {None, place.partition}
        }
        yield (
            [each for each in map(judge.decode, records) if judge.wants(each)]
            for records in reader.follow(ends)
        )


def header_of(text: str) -> tuple[str, str]:
    """Read `name=value`.

    Raises:
        ValueError: it is something else.
    """
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise ValueError(f"{text!r} is no name=value such as correlation_id=0199d2b4")
    return name.strip(), value.strip()


def _bounds(reader: TopicReader, topic: str) -> Mapping[Place, Bounds]:
    if not TOPIC_NAME.fullmatch(topic):
        raise UnknownTopicError(
            f"{topic!r} is the name of no topic; `tailrace topics list` shows them."
        )
    try:
        return reader.bounds(topic)
    except NoTopicError as error:
        raise UnknownTopicError(f"{error}.") from error


def _ends(reader: TopicReader, until: Bound, bounds: Mapping[Place, Bounds]) -> Mapping[Place, int]:
    if until.time:
        return reader.at(until.time, bounds)
    if until.offsets:
        return {
            place: until.offsets[place.partition]
            for place in bounds
            if place.partition in until.offsets
        }
    return {place: each.end for place, each in bounds.items()}


def _require_known(request: SearchRequest, bounds: Mapping[Place, Bounds]) -> None:
    known = {place.partition for place in bounds}
    asked = {request.wanted.partition, *request.until.offsets} - {None}
    if unknown := asked - known:
        raise RequestError(
            f"{request.wanted.topic} has no partition {min(filter(None, unknown))}; the last one is {max(known)}."
        )


class _Judge:
    """Decodes records, and tells which are wanted; without a registry, those whose schemas are known."""

    def __init__(self, deployment: Deployment, wanted: Filter) -> None:
        self.misfit: str | None = None
        self._codec = Codec(SchemaStore(deployment.registry, deployment.schema_cache), [])
        self._wanted = wanted
        self._key = None if wanted.key is None else text_of(wanted.key)
        self._untold: dict[bytes, str] = {}  # by head of a value, which names its schema

    def decode(self, record: KafkaRecord) -> TailedRecord:
        head = (record.value or b"")[: HEADER.size]
        if head not in self._untold:
            try:
                return decoded(record, self._codec)
            except RegistryUnavailableError as error:
                self._untold[head] = str(error)
        return replace(decoded(record._replace(value=None), self._codec), error=self._untold[head])

    def wants(self, record: TailedRecord) -> bool:
        wanted = self._wanted
        named = record.type or record.headers.get("ce_type")
        return (
            self._key in {None, record.key}
            and wanted.type in {None, named}
            and all(record.headers.get(name) == text for name, text in wanted.headers)
            and self._says(record)
        )

    def _says(self, record: TailedRecord) -> bool:
        if not self._wanted.where:
            return True
        if record.value is None:
            return False
        try:
            return all(each.holds(each.find(record.value)) for each in self._wanted.where)
        except ValueError as error:
            self.misfit = str(error)
            return False
