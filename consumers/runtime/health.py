"""How a worker is, over HTTP: `/health` while it makes progress, `/ready` when it holds what it should and comes on.

`/metrics` tells it to Prometheus.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from typing import Any

from cdc.health import HealthEndpoints
from cdc.metrics import METRICS, render
from cdc.tracing.spans import figures as tracing_figures
from consumers.runtime.lanes import Progress
from consumers.runtime.metrics import worker_metrics
from consumers.runtime.store import Place


def partition_health(
    progress: Mapping[Place, Progress],
    ends: Mapping[Place, int],
    resets: Mapping[Place, str],
    now_s: float,
) -> list[dict[str, Any]]:
    """Return how each partition is.

    Args:
        progress: How far each partition has come.
        ends: Offset of the next record in each partition, as far as known.
        resets: Why the worker, since its start, went on elsewhere than at a position.
        now_s: The time in seconds since 1970.
    """
    return [
        {
            "topic": place.topic,
            "partition": place.partition,
            "position": seen.position,
            # messages that are not done yet, and the age of the oldest of them; None when the end is not known
            "lag": None if (end := ends.get(place)) is None else max(0, end - seen.position),
            "lag_s": _age_s(seen, ends.get(place), now_s),
            "waiting_for": seen.waiting_for,
            "applied": seen.applied,
            "duplicates": seen.duplicates,
            "parked": seen.parked,
            "reset": resets.get(place),
        }
        for place, seen in sorted(progress.items())
    ]


class HealthServer(HealthEndpoints):
    """Serves the health of one worker.

    Args:
        consumer: Name of the consumer.
        partitions: Tells how each partition is.
        trouble: Tells why the worker is not ready; empty when it is.
        more: Tells what else is counted.
    """

    def __init__(
        self,
        consumer: str,
        partitions: Callable[[], Sequence[Mapping[str, Any]]],
        trouble: Callable[[], str],
        more: Callable[[], Mapping[str, Mapping[str, Any]]],
    ) -> None:
        self._consumer = consumer
        self._partitions = partitions
        self._trouble = trouble
        self._more = more
        super().__init__({"/health": self._health, "/ready": self._ready, METRICS: self._metrics})

    def _health(self) -> tuple[HTTPStatus, dict[str, Any]]:
        # that this is answered at all shows that the event loop turns; the watchdog ends who stands still otherwise
        return HTTPStatus.OK, self._body(self._trouble())

    def _ready(self) -> tuple[HTTPStatus, dict[str, Any]]:
        trouble = self._trouble()
        return HTTPStatus.SERVICE_UNAVAILABLE if trouble else HTTPStatus.OK, self._body(trouble)

    def _metrics(self) -> tuple[HTTPStatus, str]:
        return HTTPStatus.OK, render(worker_metrics(self._consumer, self._body(self._trouble())))

    def _body(self, trouble: str) -> dict[str, Any]:
        partitions = self._partitions()
        # without a partition there is nothing to be behind in only for a worker that should hold none
        is_known = bool(partitions) or not trouble
        lags = [partition["lag"] for partition in partitions]
        ages = [partition["lag_s"] for partition in partitions]
        return {
            "consumer": self._consumer,
            "ready": not trouble,
            "trouble": trouble or None,
            "lag": _unless_unknown(sum, lags) if is_known else None,
            "lag_s": _unless_unknown(partial(max, default=0.0), ages) if is_known else None,
            "partitions": partitions,
            **self._more(),
            "traces": tracing_figures(),
        }


def _unless_unknown(
    reduce: Callable[[list[float]], float], values: Sequence[float | None]
) -> float | None:
    """Reduce values to one; None when one of them is not known."""
    known = [value for value in values if value is not None]
    return reduce(known) if len(known) == len(values) else None


def _age_s(seen: Progress, end: int | None, now_s: float) -> float | None:
    if seen.oldest_ms is not None:
        return round(max(0.0, now_s - seen.oldest_ms / 1000), 3)
    if end is None:
        return None
    return 0.0 if end <= seen.position else round(time.monotonic() - seen.moved_at, 3)
