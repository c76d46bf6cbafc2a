"""Runs the benchmark `publish`."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, nullcontext

from cdc import connector
from tests.bench.errors import BenchError
from tests.bench.figures import percentile
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine
from tests.bench.progress import Progress
from tests.bench.publish import cost
from tests.bench.publish.drain import Ends
from tests.bench.publish.floor import floor
from tests.bench.publish.plan import (
    FLOOR,
    FOR_DRAIN,
    FOR_LATENCY,
    FOR_ORDER,
    OURS,
    PUBLISHERS,
    ratios,
)
from tests.bench.publish.publishers import Publisher, drop_slots
from tests.bench.publish.rows import Rows, open_rows
from tests.bench.publish.watch import Seen, watching
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.produce import create_topic
from tests.stack import RunningStack

NAME = "publish"
NEEDED = ("postgres", "kafka", "registry", "connect")
PARTITIONS = 6
STANDSTILL_S = 60.0
IDLE_S = 5.0
WARM_UP_EVENTS = 50
PER_S = 100.0
ORDER_KEYS, ORDER_EVENTS = 50, 10_000
"""Few keys with many versions each: where an order can be broken it is."""

Found = Mapping[str, Mapping[str, float]]
"""Contender -> what was found."""


class Bench:
    """Takes measurements on a running stack, one at a time.

    Args:
        stack: The stack; its own connector is gone.
        options: How much is measured.
    """

    def __init__(self, stack: RunningStack, options: Options) -> None:
        self._stack = stack
        self._options = options

    def cost(self, _: str) -> Found:
        """Measure what the writer pays."""
        return cost.cost(self._stack, self._options.transactions)

    def latency(self, name: str) -> Found:
        """Measure how long after its commit an event is read from Kafka, at a steady rate; and what idling takes."""
        topic = create_topic(self._stack, partitions=PARTITIONS)
        count = round(PER_S * self._options.latency_s)
        with (
            self._prepared(name, topic) as (publisher, rows),
            watching(self._stack, topic) as watch,
        ):
            publisher.start()
            rows.trickle(WARM_UP_EVENTS, PER_S)
            watch.wait_for(WARM_UP_EVENTS, STANDSTILL_S)
            idle = publisher.cpu_percent(IDLE_S)
            committed = rows.trickle(count, PER_S)
            seen = watch.wait_for(WARM_UP_EVENTS + count, STANDSTILL_S)
        took = [(seen.at[each] - at) * 1000 for each, at in committed.items()]
        figures = {"p50_ms": percentile(took, 50), "p99_ms": percentile(took, 99)}
        return {name: figures | {"idle_cpu_percent": idle}}

    def drain(self, name: str) -> Found:
        """Measure how fast a backlog is published; of our connector also how fast its WAL can be decoded at all."""
        topic = create_topic(self._stack, partitions=PARTITIONS)
        events, found = self._options.events, {}
        with self._prepared(name, topic) as (publisher, rows):
            with floor(self._stack) if name == OURS else nullcontext() as decode:
                rows.fill(events, self._options.aggregates)
                if decode is not None:
                    found[FLOOR] = {"per_s": events / decode()}
            publisher.start()
            with closing(Ends(self._stack, topic)) as ends:
                found[name] = {"per_s": ends.rate(events, STANDSTILL_S)}
        if disordered := self._read(topic, events).disordered:
            raise BenchError(f"{name} has broken the order of {len(disordered)} keys.")
        return found

    def order(self, name: str) -> Found:
        """Count the keys of which a version came before an earlier one."""
        topic = create_topic(self._stack, partitions=PARTITIONS)
        with self._prepared(name, topic) as (publisher, rows):
            rows.fill(ORDER_EVENTS, ORDER_KEYS)
            publisher.start()
            seen = self._read(topic, ORDER_EVENTS)
        return {name: {"disordered_keys": len(seen.disordered), "keys": len(seen.newest)}}

    @contextmanager
    def _prepared(self, name: str, topic: str) -> Iterator[tuple[Publisher, Rows]]:
        with (
            PUBLISHERS[name](self._stack, topic) as publisher,
            open_rows(self._stack, publisher.schema, topic) as rows,
        ):
            yield publisher, rows

    def _read(self, topic: str, events: int) -> Seen:
        """Read all events of a topic; a publisher that lost one has failed."""
        with watching(self._stack, topic) as watch:
            return watch.wait_for(events, STANDSTILL_S)


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: a measurement failed.
    """
    here, runs = machine(), list[Run]()
    with own_stack(*NEEDED) as stack:
        connector.delete(stack.settings.connect_url, connector.NAME)
        drop_slots(stack)
        bench = Bench(stack, options)
        kinds = {
            "cost": (bench.cost, ("placing orders",), options.transactions),
            "latency": (bench.latency, FOR_LATENCY, round(PER_S * options.latency_s)),
            "drain": (bench.drain, FOR_DRAIN, options.events),
            "order": (bench.order, FOR_ORDER, ORDER_EVENTS),
        }
        for number in range(1, options.rounds + 1):
            for kind, (measure, names, events) in kinds.items():
                for name in _turned(names, number):
                    with progress.step(f"round {number}: {kind} of {name}"):
                        found = measure(name)
                    for contender, figures in found.items():
                        runs.append(_run(contender, kind, number, events, figures))
                        progress.found(f"{contender}: {summary(figures)}")
    return Outcome(NAME, here, ratios(runs), runs)


def _turned(names: Sequence[str], number: int) -> Sequence[str]:
    """Have each round begin with another contender."""
    first = (number - 1) % len(names)
    return (*names[first:], *names[:first])


def _run(contender: str, kind: str, number: int, events: int, figures: Mapping[str, float]) -> Run:
    return Run(contender=contender, kind=kind, round=number, events=events, figures=figures)
