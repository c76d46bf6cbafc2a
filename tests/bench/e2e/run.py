"""What the benchmark `e2e` measures, in which order, and which ratios it comes to."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from tests.bench.e2e import ours
from tests.bench.e2e.contender import AtWork, Contender, Spent, spent
from tests.bench.e2e.ours import Ours, services
from tests.bench.e2e.references import BY_HAND, FASTSTREAM_OUTBOX, REFERENCES
from tests.bench.e2e.traffic import Steps, Took, clients_of
from tests.bench.figures import percentile, ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.bench.statements import counted
from tests.stack import RunningStack

NAME = "e2e"
CLIENTS: Mapping[Steps, Sequence[int]] = {"two": (8, 64, 256), "four": (8, 64)}
RATES: Mapping[Steps, Sequence[float]] = {"two": (20.0, 100.0), "four": (20.0,)}
COST_CLIENTS = 8
SETTLE_S = 1.0
"""After the last order, so that what is done behind it counts too."""
RATIOS = (
    ("orders", "per_s"),
    ("cpu", "cpu_ms"),
    ("post_p50", "post_p50_ms"),
    ("p50", "end_p50_ms"),
    ("p99", "end_p99_ms"),
)
"""What the figures are called as ratios."""


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: an order was refused, or did not end.
    """
    here, runs = machine(), list[Run]()
    publisher = "connect" if options.publisher == "cdc" else "relay"
    contenders: Sequence[Contender] = (Ours(options.form), *REFERENCES)
    needed = ("postgres", "kafka", "registry", publisher, *services("four", options.form))
    with own_stack(*needed, publisher=options.publisher) as stack:
        for contender in contenders:
            contender.prepare(stack)
        for number in range(1, options.rounds + 1):
            for contender in contenders[:: 1 if number % 2 else -1]:
                for steps in CLIENTS:
                    runs += _measure(stack, contender, steps, number, options, progress)
    return Outcome(NAME, here, ratios(runs), runs)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return ours in units of each reference's; `best` is the quickest of the handwritten ones, for each figure."""
    found: dict[str, float | None] = {}
    for kind in dict.fromkeys(run.kind for run in runs):
        for name, figure in RATIOS:
            if figure == "per_s" and "clients" not in kind:
                continue
            each = medians(runs, kind, figure)
            by_hand = [each[one.name] for one in BY_HAND if one.name in each]
            best = (max if figure == "per_s" else min)(by_hand, default=None)
            found[f"{name}_vs_handwritten {kind}"] = ratio(each.get(ours.NAME), best)
            library = each.get(FASTSTREAM_OUTBOX.name)
            found[f"{name}_vs_faststream_outbox {kind}"] = ratio(each.get(ours.NAME), library)
    return {name: value for name, value in found.items() if value is not None}


def _measure(
    stack: RunningStack,
    contender: Contender,
    steps: Steps,
    number: int,
    options: Options,
    progress: Progress,
) -> Iterator[Run]:
    with (
        progress.step(f"round {number}: {contender.name}, {steps} steps"),
        contender.at_work(stack, steps) as at_work,
    ):
        for kind, found, orders in asyncio.run(_measured(stack, at_work, options)):
            progress.found(f"{kind}: {summary(found)}")
            yield Run(
                contender=contender.name, kind=kind, round=number, events=orders, figures=found
            )


async def _measured(
    stack: RunningStack, at_work: AtWork, options: Options
) -> list[tuple[str, Mapping[str, float], int]]:
    found, steps = [], at_work.system.steps
    what = "" if steps == "two" else f", {steps} steps"
    async with clients_of(at_work.system) as clients:
        await clients.warm_up(options.warm_up_s)
        for number in CLIENTS[steps]:
            orders = max(options.orders, number)
            before = spent(stack, at_work)
            took = await clients.closed(number, orders)
            figures = await _figures(stack, at_work, before, took)
            found.append((f"{number} clients{what}", figures, orders))
        for per_s in RATES[steps]:
            orders = round(per_s * options.latency_s)
            before = spent(stack, at_work)
            took = await clients.open(per_s, orders)
            figures = await _figures(stack, at_work, before, took)
            found.append((f"{per_s:g}/s{what}", figures, orders))
        with counted(stack) as statements:
            await clients.closed(COST_CLIENTS, options.orders)
            await asyncio.sleep(SETTLE_S)
        asked = {"statements": statements.total() / options.orders}
        found.append((f"cost{what}", asked, options.orders))
    return found


async def _figures(
    stack: RunningStack, at_work: AtWork, before: Spent, took: Took
) -> Mapping[str, float]:
    await asyncio.sleep(SETTLE_S)
    after, orders = spent(stack, at_work), len(took.end)
    cpu_ms = {
        name: (after.cpu_s[name] - before.cpu_s[name]) * 1000 / orders for name in after.cpu_s
    }
    post, end = ([each * 1000 for each in times] for times in (took.post, took.end))
    return {
        "per_s": orders / took.seconds,
        "refused": took.refused,
        "post_p50_ms": percentile(post, 50),
        "post_p99_ms": percentile(post, 99),
        "end_p50_ms": percentile(end, 50),
        "end_p99_ms": percentile(end, 99),
        "cpu_ms": sum(cpu_ms.values()),
        "commits": (after.commits - before.commits) / orders,
        **{f"{name}_cpu_ms": value for name, value in cpu_ms.items()},
    }
