"""Shows how far a run has come: a bar with rate and time left, on a pipe a line now and then."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TimeRemainingColumn,
)
from rich.text import Text

TENTHS = 10
LONG = 100  # rows from which a pipe is told of every tenth


class RateColumn(ProgressColumn):
    """Rows per second."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:,.0f}/s" if speed else "", style="progress.data.speed")


class Display:
    """Progress on a console; build it with `open_display`."""

    def __init__(self, console: Console, progress: Progress, total: int | None) -> None:
        self._console = console
        self._progress = progress
        self._task = progress.add_task("", total=total)
        self._total = total
        self._done = 0

    def moved(self, rows: int) -> None:
        before, self._done = self._done, self._done + rows
        self._progress.update(self._task, completed=self._done)
        if not self._console.is_terminal and self._total and self._total >= LONG:
            tenth = self._done * TENTHS // self._total
            if tenth > before * TENTHS // self._total:
                self._console.print(f"{self._done:,} of {self._total:,}")

    def problem(self, problem: str) -> None:
        self._console.print(problem, soft_wrap=True)


@contextmanager
def open_display(console: Console, total: int | None) -> Iterator[Display]:
    columns = (BarColumn(), MofNCompleteColumn(), RateColumn(), TimeRemainingColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield Display(console, progress, total)
