"""Has benchmarks run in short forms, and says which ratios are worse than they were: `make bench-guard`."""

import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from tests.bench.__main__ import bench, measure
from tests.bench.command import run_to_exit
from tests.bench.errors import BenchError
from tests.bench.options import Options, names_of
from tests.bench.outcome import Outcome
from tests.bench.report import number

RECORDED = Path(__file__).with_name("recorded.json")
TOLERATED = 0.15
"""Share by which a ratio may be worse than the recorded one: short forms differ by less from run to run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What is held to of a benchmark.

    Args:
        options: Its short form: options of `make bench` that differ from the usual ones.
        more_is_better: Ratios that must not fall.
        less_is_better: Ratios that must not rise.
    """

    options: Mapping[str, Any]
    more_is_better: tuple[str, ...] = ()
    less_is_better: tuple[str, ...] = ()

    @property
    def ratios(self) -> tuple[str, ...]:
        return (*self.more_is_better, *self.less_is_better)


GUARDS: Mapping[str, Guard] = {
    "consumer": Guard(
        options={"events": 60_000, "plain_events": 4_000, "latency_s": 5.0},
        more_is_better=("vs_plain_agent", "vs_handwritten"),
    ),
    "e2e": Guard(
        options={"orders": 300, "latency_s": 5.0},
        more_is_better=(
            "orders_vs_handwritten 8 clients",
            "orders_vs_handwritten 64 clients",
        ),
        less_is_better=("cpu_vs_handwritten 64 clients", "p50_vs_handwritten 20/s"),
    ),
    "replay": Guard(options={"events": 60_000}, more_is_better=("sandbox_vs_live_worker",)),
}


def worse(name: str, found: Mapping[str, float], recorded: Mapping[str, float]) -> Iterator[str]:
    """Yield a sentence for each ratio of a benchmark that is worse than it was, or is not known."""
    guard = GUARDS[name]
    for each in guard.ratios:
        if each not in found or each not in recorded:
            where = "was not measured" if each not in found else "is not recorded"
            yield f"{name}: {each} {where}"
            continue
        before, now = recorded[each], found[each]
        falls = each in guard.more_is_better and now < before * (1 - TOLERATED)
        rises = each in guard.less_is_better and now > before * (1 + TOLERATED)
        if falls or rises:
            yield f"{name}: {each} is {number(now)}, and was {number(before)}"


def recorded(path: Path = RECORDED) -> dict[str, Any]:
    """Return what was recorded, by the name of the benchmark."""
    found: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return found


def record(outcome: Outcome, path: Path = RECORDED) -> None:
    """Keep the ratios of a benchmark that are held to, in place of what was recorded of it."""
    ratios = {
        name: round(outcome.ratios[name], 3)
        for name in GUARDS[outcome.name].ratios
        if name in outcome.ratios
    }
    kept = recorded(path) | {outcome.name: {"machine": dict(outcome.machine), "ratios": ratios}}
    path.write_text(json.dumps(dict(sorted(kept.items())), indent=2) + "\n")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("names", default=",".join(GUARDS))
@click.option(
    "--record", "keeps", is_flag=True, help="Record what is found, rather than compare it."
)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.pass_context
def guard(context: click.Context, *, names: str, keeps: bool, rounds: int) -> None:
    """Measure NAMES, benchmarks with commas between them, in short forms, and compare them with what was recorded.

    Ends with 1 when a ratio is worse by more than 15 %.
    """
    try:
        chosen = names_of(names, GUARDS, "guarded benchmark")
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    before, found = recorded(), list[str]()
    for name in chosen:
        outcome = measure(name, _options(context, {**GUARDS[name].options, "rounds": rounds}))
        if keeps:
            record(outcome)
        else:
            found += worse(name, outcome.ratios, before.get(name, {}).get("ratios", {}))
    if found:
        raise BenchError("worse than recorded: " + "; ".join(found))


def _options(context: click.Context, given: Mapping[str, Any]) -> Options:
    """Return these options, and the rest as `make bench` has them."""
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    read = bench.make_context("bench", arguments, parent=context).params
    return Options(**{name: value for name, value in read.items() if name != "names"})


if __name__ == "__main__":
    run_to_exit(guard, "bench-guard")
