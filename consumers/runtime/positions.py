"""Where a worker begins in the partitions it is given: at the position in the database, if Kafka still has it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol, TypeVar

from consumers.runtime.failures import is_transient
from consumers.runtime.store import Place, Store

PAUSE_S = 1.0

T = TypeVar("T")

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What Kafka has of a partition.

    Args:
        begin: Offset of the oldest record, or of the next one when there is none.
        end: Offset of the next record.
    """

    begin: int
    end: int


class Kafka(Protocol):
    """Tells what Kafka has of partitions."""

    async def bounds(self, places: Sequence[Place]) -> Mapping[Place, Bounds]:
        """Return the bounds of each partition."""


async def find_positions(places: Sequence[Place], store: Store, kafka: Kafka) -> dict[Place, int]:
    """Return where to begin in each partition; wait for the database as long as it takes.

    A consumer that is new in a partition begins with the oldest record. Where the position lies outside of what Kafka
    has, records were deleted unread, or the topic was made anew: that is logged as an error, and the consumer goes on
    with the oldest record there is. What was taken before is still known to the inbox.

    Args:
        places: The partitions.
        store: Where positions are kept.
        kafka: What Kafka has.
    """
    stored = {place: await _patiently(partial(store.position, place)) for place in places}
    # asked afterwards, so that a position which somebody else moves meanwhile cannot be taken for one beyond the end
    bounds = await kafka.bounds(places)
    return {
        place: await _patiently(partial(_begin, place, stored[place], bounds[place], store))
        for place in places
    }


async def _begin(place: Place, position: int | None, bounds: Bounds, store: Store) -> int:
    if position is None:
        return await store.begin(place, bounds.begin)
    if bounds.begin <= position <= bounds.end:
        return position
    if position < bounds.begin:
        trouble = f"{bounds.begin - position} records were deleted unread"
    else:
        trouble = f"the topic ends at {bounds.end}, it must have been made anew"
    log.error(
        "%s/%d: the position is %d, but %s; going on at %d",
        *(place.topic, place.partition, position, trouble, bounds.begin),
    )
    await store.move(place, position, bounds.begin)
    return bounds.begin


async def _patiently(attempt: Callable[[], Awaitable[T]]) -> T:
    while True:
        try:
            return await attempt()
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("a position cannot be read: %r; again in %.0f s", error, PAUSE_S)
            await asyncio.sleep(PAUSE_S)
