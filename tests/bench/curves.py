"""The benchmark `curves`: how the rate of effects follows what there is more and more of."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from tests.bench.contender import at_work
from tests.bench.errors import BenchError
from tests.bench.events import PARTITIONS, Events
from tests.bench.figures import ratio
from tests.bench.ledger import Ledger, open_ledger
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.stack import RunningStack

NAME = "curves"
EVENTS, KEYS = 100_000, 1_000
LINE_BYTES = 46
"""Of a line of an order, in Avro."""
MOST_BYTES = 100_000_000
MODULE = "tests.bench.ours"
STANDSTILL_S = 120.0


class Point(NamedTuple):
    """What is measured at once.

    Args:
        events: Events for each consumer.
        keys: Keys that they are spread over.
        partitions: Of the topic of each consumer.
        workers: Members of each consumer's group.
        consumers: Consumers, each with a topic of its own.
        bytes: Of each event, about; 0 for payments of some 70 bytes.
    """

    events: int = EVENTS
    keys: int = KEYS
    partitions: int = PARTITIONS
    workers: int = 1
    consumers: int = 1
    bytes: int = 0


CURVES: Mapping[str, Sequence[Point]] = {
    "events": [Point(events=each) for each in (1_000, 10_000, 100_000, 1_000_000)],
    "keys": [Point(keys=each) for each in (10, 100, 1_000, 10_000)],
    "partitions": [Point(partitions=each) for each in (1, 4, 16, 64)],
    "workers": [Point(workers=each) for each in (1, 2, 4)],
    "consumers": [
        Point(consumers=each, events=min(EVENTS, 320_000 // each)) for each in (1, 4, 16, 32)
    ],
    "bytes": [
        Point(bytes=each, events=min(EVENTS, MOST_BYTES // each))
        for each in (200, 2_000, 20_000, 200_000)
    ],
}
"""What grows -> the points at which it is measured; the others stay as they are."""


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: a measurement failed.
    """
    here, runs = machine(), list[Run]()
    with own_stack("postgres", "kafka", "registry") as stack, open_ledger(stack) as ledger:
        for number in range(1, options.rounds + 1):
            for curve, points in CURVES.items():
                for place, point in enumerate(points):
                    kind = f"{getattr(point, curve):,} {curve}"
                    with progress.step(f"round {number}: {kind}"):
                        name = f"bench.{curve}.{place}.{number}"
                        found = measured(stack, ledger, point, name, progress)
                    progress.found(summary(found))
                    runs.append(
                        Run(
                            contender="ours",
                            kind=kind,
                            round=number,
                            events=point.events * point.consumers,
                            figures=found,
                        )
                    )
    return Outcome(NAME, here, ratios(runs), runs)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return the rate at each point in units of the rate at the one before it; of bytes, bytes a second."""
    return {name: value for name, value in _ratios(runs) if value is not None}


def _ratios(runs: Sequence[Run]) -> Iterator[tuple[str, float | None]]:
    for curve, points in CURVES.items():
        figure = "mb_per_s" if curve == "bytes" else "per_s"
        kinds = [f"{getattr(point, curve):,} {curve}" for point in points]
        rates = [medians(runs, kind, figure).get("ours") for kind in kinds]
        for number in range(1, len(kinds)):
            yield f"{kinds[number]} vs before", ratio(rates[number], rates[number - 1])


def measured(
    stack: RunningStack, ledger: Ledger, point: Point, name: str, progress: Progress
) -> Mapping[str, float]:
    """Return the rates of writing and of effects, and the memory of a worker, with topics called after `name`.

    Raises:
        BenchError: effects are missing for long.
    """
    ledger.empty()
    events = Events(stack, point.keys)
    topics = [f"{name}.{number}" for number in range(point.consumers)]
    lines = max(1, point.bytes // LINE_BYTES) if point.bytes else 0
    begin = time.monotonic()
    for topic in topics:
        events.create_topic(topic, point.partitions)
        events.fill(topic, point.events, lambda done: progress.now(f"written: {done:,}"), lines)
    wanted = point.events * point.consumers
    written_per_s = wanted / (time.monotonic() - begin)
    with ExitStack() as running:
        workers = [
            running.enter_context(at_work(stack, MODULE, topic=topic, group=topic, member=member))
            for topic in topics
            for member in range(point.workers)
        ]
        last, moved_at = -1, time.monotonic()
        while (seen := ledger.effects()) < wanted:
            if seen > last:
                last, moved_at = seen, time.monotonic()
            elif time.monotonic() > moved_at + STANDSTILL_S:
                raise BenchError(f"There are still {seen:,} effects of {wanted:,} events.")
            for worker in workers:
                worker.look()
            progress.now(f"{seen:,} of {wanted:,}")
            time.sleep(0.2)
        peak_mb = max(worker.peak_rss_mb for worker in workers)
    rate = ledger.rate()
    figures = {"per_s": rate.per_s, "written_per_s": written_per_s, "peak_rss_mb": peak_mb}
    if point.bytes:
        figures["mb_per_s"] = rate.per_s * lines * LINE_BYTES / 1e6
    return figures
