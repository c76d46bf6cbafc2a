"""The benchmark `consumer`: how fast, how soon and in how much memory events in Kafka become rows in Postgres."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime

from tests.bench.contender import Contender, at_work
from tests.bench.errors import BenchError
from tests.bench.events import Events
from tests.bench.figures import percentile
from tests.bench.ledger import Ledger, open_ledger
from tests.bench.measurements import PLAIN, Measurement, measures_backlog, ratios, schedule
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.stack import RunningStack

NAME = "consumer"
NEEDED = ("postgres", "kafka", "registry")
TOPIC = "bench.events"
BACKLOG_TOPIC = "bench.backlog"
WARM_UP_EVENTS = 40
STANDSTILL_S = 60.0


class Bench:
    """Takes measurements on a running stack, one at a time.

    Args:
        stack: The stack.
        ledger: Reads what contenders write.
        options: How much is measured.
        progress: Shows how far it is.
    """

    def __init__(
        self, stack: RunningStack, ledger: Ledger, options: Options, progress: Progress
    ) -> None:
        self._stack = stack
        self._ledger = ledger
        self._options = options
        self._progress = progress
        self._events = Events(stack, options.aggregates)

    def fill(self, topic: str, events: int) -> None:
        """Write the events that are to be taken at full speed."""
        with self._progress.step(f"writing {events:,} events to {topic}"):
            self._events.create_topic(topic)
            self._events.fill(topic, events, lambda done: self._progress.now(f"{done:,}"))

    def take(self, measurement: Measurement) -> Run:
        """Run a contender and return what was measured.

        Raises:
            BenchError: it failed, stood still, or made more or fewer effects than there were events.
        """
        self._ledger.empty()
        if measurement.kind == "latency":
            return self._latency(measurement)
        if measurement.kind == "backlog":
            return self._drain(measurement, BACKLOG_TOPIC, self._options.backlog)
        events = self._options.events
        if measurement.contender == PLAIN:
            events = self._events.begin_before_end(
                TOPIC, measurement.group, min(events, self._options.plain_events)
            )
        return self._drain(measurement, TOPIC, events)

    def _drain(self, measurement: Measurement, topic: str, events: int) -> Run:
        """Measure how fast events take effect that are there already."""
        with self._at_work(measurement, topic) as worker:
            self._wait_for_effects(worker, events)
        self._verify(events)
        rate = self._ledger.rate()
        figures = {"per_s": rate.per_s, "measured_s": rate.seconds}
        return _run(measurement, events, worker, figures)

    def _latency(self, measurement: Measurement) -> Run:
        """Measure how soon events take effect that come one by one."""
        per_s = self._options.latency_per_s
        events = max(1, round(per_s * self._options.latency_s))
        topic = measurement.group
        self._events.create_topic(topic)
        with self._at_work(measurement, topic) as worker:
            self._events.trickle(topic, WARM_UP_EVENTS, per_s=per_s)
            self._wait_for_effects(worker, WARM_UP_EVENTS)
            since = datetime.now(UTC)
            self._events.trickle(topic, events, per_s=per_s)
            self._wait_for_effects(worker, WARM_UP_EVENTS + events)
        self._verify(WARM_UP_EVENTS + events)
        latencies = self._ledger.latencies_ms(since)
        figures = {"p50_ms": percentile(latencies, 50), "p99_ms": percentile(latencies, 99)}
        return _run(measurement, events, worker, figures)

    @contextmanager
    def _at_work(self, measurement: Measurement, topic: str) -> Iterator[Contender]:
        module = f"tests.bench.{measurement.contender}"
        with at_work(self._stack, module, topic=topic, group=measurement.group) as worker:
            yield worker

    def _wait_for_effects(self, worker: Contender, events: int) -> None:
        seen = self._ledger.effects()

        def moved() -> bool:
            return self._ledger.effects() > seen

        while seen < events:
            worker.wait_until(
                f"there are still {seen:,} effects of {events:,} events", moved, STANDSTILL_S
            )
            seen = self._ledger.effects()
            self._progress.now(f"{seen:,} of {events:,}")

    def _verify(self, events: int) -> None:
        """Refuse the figures of a contender that lost or repeated something."""
        effects = self._ledger.effects()
        if effects != events:
            raise BenchError(f"There are {effects:,} effects of {events:,} events.")


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: a measurement failed.
    """
    here = machine()
    runs = []
    with own_stack(*NEEDED) as stack, open_ledger(stack) as ledger:
        bench = Bench(stack, ledger, options, progress)
        bench.fill(TOPIC, options.events)
        if measures_backlog(options):
            bench.fill(BACKLOG_TOPIC, options.backlog)
        for measurement in schedule(options):
            with progress.step(
                f"round {measurement.round}: {measurement.kind} of {measurement.contender}"
            ):
                runs.append(bench.take(measurement))
            progress.found(summary(runs[-1].figures))
    return Outcome(NAME, here, ratios(runs), runs)


def _run(
    measurement: Measurement, events: int, worker: Contender, figures: Mapping[str, float]
) -> Run:
    return Run(
        contender=measurement.contender,
        kind=measurement.kind,
        round=measurement.round,
        events=events,
        figures={**figures, "peak_rss_mb": worker.peak_rss_mb},
    )
