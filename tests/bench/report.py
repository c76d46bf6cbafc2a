"""The outcome of a benchmark as tables."""

from collections.abc import Iterator, Mapping, Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.figures import median
from tests.bench.outcome import Outcome, Run


def show(outcome: Outcome, console: Console) -> None:
    """Print the medians of all rounds, and the ratios if there are any."""
    console.print(_medians(outcome))
    if outcome.ratios:
        console.print(_ratios(outcome))


def summary(figures: Mapping[str, float]) -> str:
    """Return figures in a line."""
    return ", ".join(f"{name} {number(value)}" for name, value in figures.items())


def number(value: float) -> str:
    """Return a figure with as many digits as say something."""
    return f"{value:,.0f}" if value >= 100 else f"{value:,.2f}"


def _medians(outcome: Outcome) -> Table:
    figures = list(dict.fromkeys(name for run in outcome.runs for name in run.figures))
    table = Table("contender", "measured", title=f"{outcome.name}, medians", title_justify="left")
    for heading in ("rounds", "events", *figures):
        table.add_column(heading, justify="right")
    for runs in _alike(outcome.runs):
        first = runs[0]
        values = [
            median(run.figures[name] for run in runs if name in run.figures) for name in figures
        ]
        table.add_row(
            *(first.contender, first.kind, str(len(runs)), f"{first.events:,}"),
            *("" if value is None else number(value) for value in values),
        )
    return table


def _alike(runs: Sequence[Run]) -> Iterator[list[Run]]:
    """Group the runs that differ in their round only, those of one kind below each other."""
    contenders = sorted({run.contender for run in runs})
    for kind in dict.fromkeys(run.kind for run in runs):
        for contender in contenders:
            if found := [run for run in runs if (run.contender, run.kind) == (contender, kind)]:
                yield found


def _ratios(outcome: Outcome) -> Table:
    table = Table("ratio")
    table.add_column("candidate / reference", justify="right")
    for name, value in outcome.ratios.items():
        table.add_row(name, number(value))
    return table
