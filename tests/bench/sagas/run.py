"""What the benchmark `sagas` measures, in which order, and which ratios it comes to."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import psycopg

from infra.services import OWNER
from tests.bench.errors import BenchError
from tests.bench.figures import percentile, ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.sagas.by_dbos import by_dbos
from tests.bench.sagas.contender import CHOREOGRAPHY, DBOS, ORCHESTRATION, Contender
from tests.bench.sagas.ours import QUERIES, WORKERS, ours
from tests.bench.stack import own_stack
from tests.bench.statements import counted
from tests.stack import RunningStack

NAME = "sagas"
NEEDED = ("postgres", "kafka", "registry", "connect", *(f"{name}-worker" for name in WORKERS))
WARM_UP = 100
ALONE = 40
STANDSTILL_S = 60.0
PATIENCE_S = 600.0
"""How long the orchestrator waits for a participant, who may have the whole backlog before him."""
LOOK_S = 0.05


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: orders were not fulfilled.
    """
    here, runs = machine(), list[Run]()
    with (
        own_stack(*NEEDED, answer_within_s=PATIENCE_S) as stack,
        _contenders(stack) as contenders,
    ):
        for contender in contenders:
            with progress.step(f"warming {contender.name} up"):
                _finish(contender, WARM_UP)
        for number in range(1, options.rounds + 1):
            for contender in contenders if number % 2 else reversed(contenders):
                for kind, measure in (("backlog", _backlog), ("alone", _alone), ("cost", _cost)):
                    with progress.step(f"round {number}: {kind}, {contender.name}"):
                        found = measure(contender, options.orders, stack)
                    events = ALONE if kind == "alone" else options.orders
                    runs.append(
                        Run(
                            contender=contender.name,
                            kind=kind,
                            round=number,
                            events=events,
                            figures=found,
                        )
                    )
                    progress.found(summary(found))
    return Outcome(NAME, here, ratios(runs), runs)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return the figures that count."""
    rate = medians(runs, "backlog", "per_s")
    commits = medians(runs, "cost", "commits_per_reply")
    found = {
        "orchestration_vs_choreography": ratio(rate.get(ORCHESTRATION), rate.get(CHOREOGRAPHY)),
        "orchestration_vs_dbos": ratio(rate.get(ORCHESTRATION), rate.get(DBOS)),
        "choreography_vs_dbos": ratio(rate.get(CHOREOGRAPHY), rate.get(DBOS)),
        "commits_per_reply": commits.get(ORCHESTRATION),
    }
    return {name: value for name, value in found.items() if value is not None}


@contextmanager
def _contenders(stack: RunningStack) -> Iterator[Sequence[Contender]]:
    with ExitStack() as opened:
        forms = [opened.enter_context(ours(name, stack)) for name in (CHOREOGRAPHY, ORCHESTRATION)]
        yield [*forms, opened.enter_context(by_dbos(stack))]


def _backlog(contender: Contender, orders: int, _: RunningStack) -> Mapping[str, float]:
    """Measure how fast orders are finished that are there all at once."""
    took = _finish(contender, orders)
    return {
        "per_s": orders / took[-1],
        "p50_ms": percentile(took, 50) * 1000,
        "p99_ms": percentile(took, 99) * 1000,
    }


def _alone(contender: Contender, _: int, __: RunningStack) -> Mapping[str, float]:
    """Measure how soon an order is fulfilled that has nothing beside it."""
    took = [contender.one() * 1000 for _ in range(ALONE)]
    return {"p50_ms": percentile(took, 50), "p99_ms": percentile(took, 99)}


def _cost(contender: Contender, orders: int, stack: RunningStack) -> Mapping[str, float]:
    """Count what such orders cost the database; that it writes everything down takes time."""
    with psycopg.connect(stack.database_url(OWNER), autocommit=True) as connection:
        [last_entry], [before] = (
            _asked(connection, "last_entry"),
            _asked(connection, "transactions"),
        )
        with counted(stack) as statements:
            _finish(contender, orders)
        [after] = _asked(connection, "transactions")
        replies, transactions = _asked(connection, "replies", since=last_entry)
    figures = {
        "commits_per_order": (after - before) / orders,
        "statements_per_order": sum(statements[role] for role in contender.roles) / orders,
    }
    if replies:
        figures["commits_per_reply"] = transactions / replies
    return figures


def _finish(contender: Contender, orders: int) -> list[float]:
    """Place orders at once; return after how many seconds each of them was seen to be finished."""
    contender.place(orders)
    begin = moved_at = time.perf_counter()
    took: list[float] = []
    while len(took) < orders:
        time.sleep(LOOK_S)
        new = contender.finished() - len(took)
        now = time.perf_counter()
        if new:
            moved_at = now
        elif now > moved_at + STANDSTILL_S:
            raise BenchError(f"{contender.name} is still at {len(took):,} of {orders:,} orders.")
        took += [now - begin] * new
    return took


def _asked(
    connection: psycopg.Connection[tuple[int, ...]], query: str, **values: int
) -> tuple[int, ...]:
    [row] = connection.execute(QUERIES[query], values).fetchall()
    return row
