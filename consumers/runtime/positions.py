"""Where a worker begins in the partitions it is given: at the position in the database, if Kafka still has it."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from cdc.kafka import Topic, bounds_of
from cdc.logs import FieldLogger
from consumers.runtime.store import Place, Position, Reset

log = FieldLogger(__name__)


class Positions(Protocol):
    """Keeps the positions of a consumer."""

    async def stored_position(self, place: Place) -> Position | None:
        """Return how far the consumer has come; None when it has never been in the partition."""

    async def begin(self, place: Place, offset: int, topic_id: str | None = None) -> int:
        """Begin in a partition at an offset, unless somebody has begun there meanwhile; return the position."""

    async def adopt(self, place: Place, topic_id: str) -> None:
        """Note which topic a position from before ids were kept is in."""

    async def reset(self, place: Place, base: int, reset: Reset) -> None:
        """Go on elsewhere than at the position, unless somebody has moved it meanwhile."""


ReadTopics = Callable[[], Awaitable[Mapping[str, Topic]]]
"""Returns the topics of a consumer by name, as Kafka has them now."""


class TopicGoneError(Exception):
    """A partition is assigned that Kafka does not have, or that nobody leads."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a worker begins.

    Args:
        offsets: The offset in each partition.
        topic_ids: The topics that these are offsets of, by name.
        resets: Why it is not the position, where Kafka does not have what lay there.
    """

    offsets: Mapping[Place, int]
    topic_ids: Mapping[str, str]
    resets: Mapping[Place, str]


async def find_positions(
    places: Sequence[Place],
    store: Positions,
    read_topics: ReadTopics,
    known_ends: Mapping[tuple[str, int], int],
) -> Beginning:
    """Return where to begin in each partition.

    A consumer that is new in a partition begins with the oldest record. Where Kafka does not have what lies at the
    position, because records were deleted unread or the topic was made anew, that is logged as an error and kept with
    the position, and the consumer goes on with the oldest record there is. What was taken before is still known to the
    inbox.

    Args:
        places: The partitions.
        store: Where positions are kept.
        read_topics: What Kafka has.
        known_ends: The last known end of each partition, by topic id and number, deleted topics included.

    Raises:
        TopicGoneError: Kafka does not have a partition any more.
        Exception: what the database or Kafka raises; to be tried again.
    """
    stored = {place: await store.stored_position(place) for place in places}
    # asked afterwards, so that a position which somebody else moves meanwhile cannot be taken for one beyond the end
    topics = await read_topics() if places else {}
    if gone := sorted(set(places) - bounds_of(topics).keys()):
        raise TopicGoneError(f"Kafka does not have {gone[0].topic}/{gone[0].partition}")
    offsets, resets = {}, {}
    for place in places:
        offsets[place], reset = await _begin(
            place, stored[place], topics[place.topic], store, known_ends
        )
        if reset is not None:
            resets[place] = reset.reason
    return Beginning(offsets, {name: topic.topic_id for name, topic in topics.items()}, resets)


def find_reset(
    place: Place,
    position: Position,
    topic: Topic,
    known_ends: Mapping[tuple[str, int], int] | None = None,
) -> Reset | None:
    """Return where a consumer must go on instead of its position, None when Kafka has what lies there.

    Args:
        place: The partition.
        position: How far the consumer has come.
        topic: The topic as it is now.
        known_ends: The last known end of each partition, by topic id and number, deleted topics included.
    """
    bounds = topic.bounds[place.partition]
    lost = 0
    if position.topic_id is not None and position.topic_id != topic.topic_id:
        end = (known_ends or {}).get((position.topic_id, place.partition), position.offset)
        lost = max(0, end - position.offset)
        unread = f"at least {lost}" if lost else "an unknown number of"
        reason = (
            f"the topic was deleted and made anew, with {bounds.end - bounds.begin} records now; {unread} records of "
            f"the deleted one, from {position.offset} on, were not read"
        )
    elif position.offset < bounds.begin:
        lost = bounds.begin - position.offset
        reason = f"{lost} records from {position.offset} on were deleted unread"
    elif position.offset > bounds.end:
        reason = (
            f"the topic ends at {bounds.end}, before the position {position.offset}: its data were lost, or it was "
            "made anew"
        )
    else:
        return None
    return Reset(position=Position(bounds.begin, topic.topic_id), lost=lost, reason=reason)


async def _begin(
    place: Place,
    position: Position | None,
    topic: Topic,
    store: Positions,
    known_ends: Mapping[tuple[str, int], int],
) -> tuple[int, Reset | None]:
    if position is None:
        begin = topic.bounds[place.partition].begin
        return await store.begin(place, begin, topic.topic_id), None
    reset = find_reset(place, position, topic, known_ends)
    if reset is None:
        if position.topic_id is None:
            await store.adopt(place, topic.topic_id)
        return position.offset, None
    await store.reset(place, position.offset, reset)
    # what was taken before has no effect again
    log.error(
        "position reset",
        topic=place.topic,
        partition=place.partition,
        because=reset.reason,
        going_on_at=reset.position.offset,
    )
    return reset.position.offset, reset
