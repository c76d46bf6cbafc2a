"""What the benchmark `publish` measures, in which order, and which ratios it comes to."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from tests.bench.figures import ratio
from tests.bench.outcome import Run, medians
from tests.bench.publish import cost
from tests.bench.publish.publishers import Opened, debezium, processes
from tests.stack import RunningStack

DEFAULTS, OURS, LOW_LATENCY = "debezium_default", "debezium_ours", "debezium_low_latency"
RELAY, POLLER, FLOOR = "relay", "naive_poller", "pg_recvlogical"
TWO_RELAYS, TWO_POLLERS = "two_relays", "two_naive_pollers"
OUR_RELAY, NAIVE = "cdc.relay", "tests.relays.naive"

PUBLISHERS: Mapping[str, Callable[[RunningStack, str], Opened]] = {
    DEFAULTS: partial(debezium, profile=None),
    OURS: partial(debezium, profile="default"),
    LOW_LATENCY: partial(debezium, profile="low-latency"),
    RELAY: partial(processes, module=OUR_RELAY),
    POLLER: partial(processes, module=NAIVE, as_owner=True),
    TWO_RELAYS: partial(processes, module=OUR_RELAY, number=2),
    TWO_POLLERS: partial(processes, module=NAIVE, number=2, as_owner=True),
}
FOR_LATENCY = (DEFAULTS, OURS, LOW_LATENCY, RELAY, POLLER)
FOR_DRAIN = (DEFAULTS, OURS, RELAY, POLLER)
FOR_ORDER = (TWO_RELAYS, TWO_POLLERS)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return the figures that count; those of which a side was not measured are missing."""
    transaction = medians(runs, "cost", "p50_ms")
    p50 = medians(runs, "latency", "p50_ms")
    drain = medians(runs, "drain", "per_s")
    found = {
        "outbox_cost": ratio(transaction.get(cost.OURS), transaction.get(cost.NONE)),
        "emit_message_cost": ratio(transaction.get(cost.EMIT), transaction.get(cost.NONE)),
        "latency_vs_debezium_default": ratio(p50.get(OURS), p50.get(DEFAULTS)),
        "low_latency_vs_naive_poller": ratio(p50.get(LOW_LATENCY), p50.get(POLLER)),
        "relay_latency_vs_naive_poller": ratio(p50.get(RELAY), p50.get(POLLER)),
        "drain_vs_debezium_default": ratio(drain.get(OURS), drain.get(DEFAULTS)),
        "drain_vs_pg_recvlogical": ratio(drain.get(OURS), drain.get(FLOOR)),
        "relay_vs_cdc_drain": ratio(drain.get(RELAY), drain.get(OURS)),
        "relay_drain_vs_naive_poller": ratio(drain.get(RELAY), drain.get(POLLER)),
    }
    return {name: value for name, value in found.items() if value is not None}
