"""What can be asked of a benchmark, and reading lists of names."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from infra.settings import Publisher
from schemas.messages.orders import Fulfilment


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How much is measured.

    Args:
        rounds: How often each contender is measured.
        events: Events of a measurement of speed.
        plain_events: The same for the plain agent, which is far slower.
        backlog: Events that wait when memory is measured.
        aggregates: Keys that the events are spread over.
        latency_per_s: Events per second when latency is measured.
        latency_s: For how many seconds latency is measured.
        warm_up_s: For how many seconds orders are placed before anything is measured.
        only: Names of the contenders to measure.
        inbox_rows: Ids in a full inbox.
        transactions: Transactions whose cost is measured.
        times: How often each part is killed, and frozen.
        parts: Names of the parts that are; none for all that orders need.
        orders_per_s: Orders per second while they are.
        seed: Which orders.
        orders: Orders that are fulfilled at once.
        pages: Pages of the console that are open at once.
        format_ms: Milliseconds for which each figure of a format is measured.
        publisher: Who carries the outbox to Kafka meanwhile.
        form: In which form the product fulfils orders.
    """

    rounds: int
    events: int
    plain_events: int
    backlog: int
    aggregates: int
    latency_per_s: float
    latency_s: float
    warm_up_s: float
    only: frozenset[str]
    inbox_rows: int
    transactions: int
    times: int
    parts: Sequence[str]
    orders_per_s: float
    seed: int
    orders: int
    pages: int
    format_ms: float
    publisher: Publisher
    form: Fulfilment


def names_of(text: str, known: Collection[str], what: str) -> list[str]:
    """Return the names in a list with commas, each once, in its order.

    Args:
        text: Names with commas between them.
        known: The names that there are.
        what: What they name, such as "benchmark".

    Raises:
        ValueError: one is not known, or there is none.
    """
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    choice = ", ".join(known)
    if not names:
        raise ValueError(f"no {what} is named; choose from: {choice}")
    for name in names:
        if name not in known:
            raise ValueError(f"there is no {what} {name!r}; choose from: {choice}")
    return names
