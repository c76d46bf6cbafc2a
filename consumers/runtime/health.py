"""How a worker is, over HTTP: `/health` while it makes progress, `/ready` when it holds its place in the group."""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any

from aiohttp import web

from consumers.runtime.lanes import Progress
from consumers.runtime.store import Place


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionHealth:
    """How a partition is.

    Args:
        topic: Its topic.
        partition: Its number.
        position: Offset to go on from.
        lag: Messages that are not done yet, None when the end is not known.
        lag_s: Age of the oldest of them, in seconds, None when that is not known.
        waiting_for: What keeps it from going on, empty when nothing does.
        applied: Messages that came for the first time, since the worker holds the partition.
        duplicates: Messages that had been taken before.
        parked: Messages that were put aside.
    """

    topic: str
    partition: int
    position: int
    lag: int | None
    lag_s: float | None
    waiting_for: str
    applied: int
    duplicates: int
    parked: int


def partition_health(
    progress: Mapping[Place, Progress], ends: Mapping[Place, int], now_s: float
) -> list[PartitionHealth]:
    """Return how each partition is.

    Args:
        progress: How far each partition has come.
        ends: Offset of the next record in each partition, as far as known.
        now_s: The time in seconds since 1970.
    """
    return [
        PartitionHealth(
            topic=place.topic,
            partition=place.partition,
            position=seen.position,
            lag=None if (end := ends.get(place)) is None else max(0, end - seen.position),
            lag_s=_age_s(seen, ends.get(place), now_s),
            waiting_for=seen.waiting_for,
            applied=seen.applied,
            duplicates=seen.duplicates,
            parked=seen.parked,
        )
        for place, seen in sorted(progress.items())
    ]


class HealthServer:
    """Serves the health of one worker.

    Args:
        consumer: Name of the consumer.
        partitions: Tells how each partition is.
        is_ready: Tells whether the worker holds its place in the group.
    """

    def __init__(
        self,
        consumer: str,
        partitions: Callable[[], list[PartitionHealth]],
        is_ready: Callable[[], bool],
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._is_ready = is_ready
        routes = web.Application()
        routes.add_routes([web.get("/health", self._health), web.get("/ready", self._ready)])
        self._runner = web.AppRunner(routes, access_log=None)

    async def start(self, host: str, port: int) -> int:
        """Listen; return the port, which is a free one when 0 was given.

        Args:
            host: Address to listen on.
            port: Port to listen on.

        Raises:
            OSError: the port is taken.
        """
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop listening."""
        await self._runner.cleanup()

    async def _health(self, _: web.Request) -> web.Response:
        # that this is answered at all shows that the event loop turns; the watchdog ends who stands still otherwise
        return self._answer(HTTPStatus.OK, ready=self._is_ready())

    async def _ready(self, _: web.Request) -> web.Response:
        ready = self._is_ready()
        return self._answer(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, ready=ready)

    def _answer(self, status: HTTPStatus, *, ready: bool) -> web.Response:
        partitions = self._partitions()
        lags = [partition.lag for partition in partitions if partition.lag is not None]
        ages = [partition.lag_s for partition in partitions if partition.lag_s is not None]
        body: dict[str, Any] = {
            "consumer": self._consumer,
            "ready": ready,
            "lag": sum(lags),
            "lag_s": max(ages, default=0.0),
            "partitions": [asdict(partition) for partition in partitions],
        }
        return web.json_response(body, status=status, dumps=lambda data: json.dumps(data, indent=1))


def _age_s(seen: Progress, end: int | None, now_s: float) -> float | None:
    if seen.oldest_ms is not None:
        return round(max(0.0, now_s - seen.oldest_ms / 1000), 3)
    if end is None:
        return None
    return 0.0 if end <= seen.position else round(time.monotonic() - seen.moved_at, 3)
