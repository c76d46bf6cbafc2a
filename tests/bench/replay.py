"""The benchmark `replay`: how fast events are replayed into a sandbox, and how fast the live worker takes the same."""

import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
from confluent_kafka import Producer

from cdc.context import next_traceparent
from cdc.ids import new_id
from cdc.records import open_producer
from infra.services import OWNER
from schemas.codec import Codec
from schemas.messages.orders import OrderCreated, OrderLine
from schemas.registry import SchemaStore
from tests.bench.errors import BenchError
from tests.bench.figures import ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.stack import RunningStack

NAME = "replay"
SANDBOX, LIVE = "sandbox", "live_worker"
WORKER, TOPIC = "analytics-worker", "order.events"
STANDSTILL_S = 60.0
LOOK_S = 0.05
WARM_UP = 0.1
"""The part of all events that does not count: a worker that starts is slow."""
POSITION = """
select coalesce(sum(next_offset), 0)::bigint from analytics.consumer_offset where consumer = %s and topic = %s
"""


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: the sandbox did not come to what the live worker had come to, or something stood still.
    """
    here, runs = machine(), list[Run]()
    with own_stack("postgres", "kafka", "registry") as stack:
        for number in range(1, options.rounds + 1):
            since = datetime.now(UTC)
            with progress.step(f"round {number}: writing {options.events:,} orders to {TOPIC}"):
                _fill(stack, options.events)
            for contender, measure in ((LIVE, _live), (SANDBOX, _sandbox)):
                with progress.step(f"round {number}: {contender}"):
                    figures = {"per_s": measure(stack, since, options.events)}
                runs.append(_run(contender, number, options.events, figures))
                progress.found(summary(figures))
    return Outcome(NAME, here, _ratios(runs), runs)


def _fill(stack: RunningStack, count: int) -> None:
    """Write orders as the connector would, placed over the last hour."""
    settings = stack.settings
    codec = Codec(SchemaStore(settings.registry_url, settings.schema_cache), [OrderCreated])
    producer = open_producer(settings.kafka_bootstrap, **{"linger.ms": 5})
    begin = datetime.now(UTC) - timedelta(hours=1)
    for number in range(count):
        placed_at = begin + timedelta(hours=1) * number / count
        _produce(producer, codec, placed_at)
    if producer.flush(STANDSTILL_S):
        raise BenchError("Kafka did not take all orders.")


def _produce(producer: Producer, codec: Codec, placed_at: datetime) -> None:
    order_id = new_id()
    line = OrderLine(sku="tea", quantity=2, unit_price=Decimal("4.5000"))
    order = OrderCreated(
        order_id=order_id,
        customer_id="ada",
        currency="EUR",
        lines=(line,),
        total=Decimal("9.0000"),
        placed_at=placed_at,
    )
    headers: list[tuple[str, str | bytes | None]] = [
        ("ce_id", str(new_id())),
        ("ce_type", OrderCreated.NAME),
        ("ce_source", "/orders"),
        ("ce_specversion", "1.0"),
        ("ce_time", f"{placed_at:%Y-%m-%dT%H:%M:%S.%f}Z"),
        ("correlation_id", str(new_id())),
        ("causation_id", None),
        ("aggregate_version", "1"),
        ("traceparent", next_traceparent(None)),
    ]
    value, key = codec.encode(order), str(order_id).encode()
    while True:
        try:
            producer.produce(TOPIC, value, key, headers=headers)
        except BufferError:
            producer.poll(0.1)
        else:
            return


def _live(stack: RunningStack, _: datetime, count: int) -> float:
    """Start the worker, and return how many events took effect in a second once it was warm."""
    with psycopg.connect(stack.database_url(OWNER), autocommit=True) as connection:
        before = _position(connection)
        times, counts = list[float](), list[int]()
        stack.start(WORKER)
        moved_at = time.monotonic()
        while not counts or counts[-1] < count:
            now = _position(connection) - before
            if not counts or now > counts[-1]:
                moved_at = time.monotonic()
            elif time.monotonic() - moved_at > STANDSTILL_S:
                raise BenchError(f"The worker is still at {now:,} of {count:,} events.")
            times.append(time.perf_counter())
            counts.append(now)
            time.sleep(LOOK_S)
        stack.stop(WORKER)
    warm = next(i for i, done in enumerate(counts) if done > count * WARM_UP)
    if warm == len(counts) - 1:
        raise BenchError("The events were taken too fast to be seen: ask for more of them.")
    return (counts[-1] - counts[warm]) / (times[-1] - times[warm])


def _sandbox(stack: RunningStack, since: datetime, count: int) -> float:
    """Replay the same events, and return how many were handled in a second."""
    arguments = ("--topic", TOPIC, "--from", since.isoformat(), "--consumer", WORKER)
    result = stack.cli("replay", *arguments, "--json", check=False)
    if result.returncode != 0:
        raise BenchError(f"The sandbox differs from live: {result.stderr or result.stdout[:2000]}")
    told = json.loads(result.stdout)
    if told["messages"] != count:
        raise BenchError(f"{told['messages']:,} events of {count:,} were replayed.")
    return float(told["messages"] / told["seconds"])


def _position(connection: psycopg.Connection[Any]) -> int:
    [[position]] = connection.execute(POSITION, [WORKER, TOPIC]).fetchall()
    return int(position)


def _run(contender: str, number: int, events: int, figures: Mapping[str, float]) -> Run:
    return Run(contender=contender, kind="rate", round=number, events=events, figures=figures)


def _ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    rate = medians(runs, "rate", "per_s")
    found = {"sandbox_vs_live_worker": ratio(rate.get(SANDBOX), rate.get(LIVE))}
    return {name: value for name, value in found.items() if value is not None}
