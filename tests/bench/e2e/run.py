"""What the benchmark `e2e` measures, in which order, and which ratios it comes to."""

import asyncio
from collections.abc import Mapping, Sequence

from tests.bench.e2e import by_hand, ours
from tests.bench.e2e.contender import AtWork, Contender, Spent, spent
from tests.bench.e2e.traffic import Took, clients_of
from tests.bench.figures import percentile, ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.stack import RunningStack

NAME = "e2e"
CONTENDERS: Mapping[str, Contender] = {ours.NAME: ours.ours, by_hand.NAME: by_hand.by_hand}
CLIENTS = (8, 64)
RATES = (20.0, 100.0)
WARM_UP, WARM_UP_CLIENTS = 300, 16
SETTLE_S = 1.0
"""After the last order, so that what is done behind it counts too."""


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark on a stack of its own.

    Raises:
        BenchError: an order was refused, or did not end.
    """
    here, runs = machine(), list[Run]()
    publisher = "connect" if options.publisher == "cdc" else "relay"
    needed = ("postgres", "kafka", "registry", publisher, *ours.SERVICES)
    with own_stack(*needed, publisher=options.publisher) as stack:
        by_hand.create(stack)
        for number in range(1, options.rounds + 1):
            for name in list(CONTENDERS)[:: 1 if number % 2 else -1]:
                with progress.step(f"round {number}: {name}"), CONTENDERS[name](stack) as at_work:
                    for kind, found, orders in asyncio.run(_measured(stack, at_work, options)):
                        runs.append(
                            Run(
                                contender=name,
                                kind=kind,
                                round=number,
                                events=orders,
                                figures=found,
                            )
                        )
                        progress.found(f"{kind}: {summary(found)}")
    return Outcome(NAME, here, ratios(runs), runs)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return ours in units of the reference's."""
    found = {}
    for kind in dict.fromkeys(run.kind for run in runs):
        for name, figure in (
            ("orders", "per_s"),
            ("cpu", "cpu_ms"),
            ("post_p50", "post_p50_ms"),
            ("p50", "end_p50_ms"),
            ("p99", "end_p99_ms"),
        ):
            if figure == "per_s" and kind.endswith("/s"):
                continue
            each = medians(runs, kind, figure)
            value = ratio(each.get(ours.NAME), each.get(by_hand.NAME))
            found[f"{name}_vs_handwritten {kind}"] = value
    return {name: value for name, value in found.items() if value is not None}


async def _measured(
    stack: RunningStack, at_work: AtWork, options: Options
) -> list[tuple[str, Mapping[str, float], int]]:
    found = []
    async with clients_of(at_work.system) as clients:
        await clients.closed(WARM_UP_CLIENTS, WARM_UP)
        for number in CLIENTS:
            orders = options.orders
            before = spent(stack, at_work)
            took = await clients.closed(number, orders)
            found.append(
                (f"{number} clients", await _figures(stack, at_work, before, took), orders)
            )
        for per_s in RATES:
            orders = round(per_s * options.latency_s)
            before = spent(stack, at_work)
            took = await clients.open(per_s, orders)
            found.append((f"{per_s:g}/s", await _figures(stack, at_work, before, took), orders))
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
        "post_p50_ms": percentile(post, 50),
        "post_p99_ms": percentile(post, 99),
        "end_p50_ms": percentile(end, 50),
        "end_p99_ms": percentile(end, 99),
        "cpu_ms": sum(cpu_ms.values()),
        "commits": (after.commits - before.commits) / orders,
        **{f"{name}_cpu_ms": value for name, value in cpu_ms.items()},
    }
