"""Runs the benchmark `sync`."""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence

from tests.bench.figures import ratio
from tests.bench.options import Options
from tests.bench.outcome import Outcome, Run, machine, medians
from tests.bench.progress import Progress
from tests.bench.report import summary
from tests.bench.stack import own_stack
from tests.bench.sync import chain, layers
from tests.orders_service import orders_alone

NAME = "sync"
LAYERS, SLOW_HOP = "layers", "slow_hop"
AIM_MS = 0.3
"""What the layers may add to a call, all together."""


def run(options: Options, progress: Progress) -> Outcome:
    """Run the benchmark; orders are placed on a stack of its own.

    Raises:
        BenchError: an order was not placed.
    """
    here, runs = machine(), list[Run]()
    logging.disable(logging.WARNING)  # services in this process would tell of each request
    try:
        runs += _layers(options, progress)
        runs += _slow_hop(options, progress)
    finally:
        logging.disable(logging.NOTSET)
    return Outcome(NAME, here, ratios(runs), runs)


def _layers(options: Options, progress: Progress) -> Iterator[Run]:
    with (
        own_stack("postgres", "registry") as stack,
        orders_alone(stack, "orders_bench") as settings,
    ):
        for number in range(1, options.rounds + 1):
            with progress.step(f"round {number}: {options.transactions} orders in each way"):
                found = asyncio.run(layers.measured(settings, options.transactions))
            for name, figures in found.items():
                progress.found(f"{name}: {summary(figures)}")
                yield _run(name, LAYERS, number, options.transactions, figures)


def _slow_hop(options: Options, progress: Progress) -> Iterator[Run]:
    trouble = chain.Trouble()
    asked = round(trouble.per_s * options.latency_s)
    for number in range(1, options.rounds + 1):
        for name in [*chain.GUARDS][:: 1 if number % 2 else -1]:
            with progress.step(f"round {number}: a slow hop, {name}"):
                guards = chain.GUARDS[name]
                figures = asyncio.run(chain.measured(guards, trouble, options.latency_s))
            progress.found(summary(figures))
            yield _run(name, SLOW_HOP, number, asked, figures)


def ratios(runs: Sequence[Run]) -> Mapping[str, float]:
    """Return what the layers add in units of the aim for all, and the guards' figures in units of having none."""
    added, took = medians(runs, LAYERS, "added_ms"), medians(runs, LAYERS, "added_cpu_ms")
    found = {}
    for name in (layers.DEADLINE, layers.CALLING, layers.KEY, layers.ALL):
        found[f"{name}_vs_aim"] = ratio(added.get(name), AIM_MS)
        found[f"{name}_cpu_vs_aim"] = ratio(took.get(name), AIM_MS)
    for figure in ("p50_ms", "p99_ms", "calls_in_vain", "s_in_vain", "most_at_once"):
        each = medians(runs, SLOW_HOP, figure)
        for name in [*chain.GUARDS][1:]:
            found[f"{name}_{figure}_vs_neither"] = ratio(each.get(name), each.get("neither"))
    return {name: value for name, value in found.items() if value is not None}


def _run(contender: str, kind: str, number: int, events: int, figures: Mapping[str, float]) -> Run:
    return Run(contender=contender, kind=kind, round=number, events=events, figures=figures)
