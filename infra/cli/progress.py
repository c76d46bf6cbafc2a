"""How work under way is shown: a start with a line per finished stage, and a bar for what can be counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from infra.cli.output import console as open_console
from infra.cli.output import wants_json
from infra.text import MEGABYTE

if TYPE_CHECKING:
    from cdc.reconciliation import Progress as ShowsProgress


class TerminalReport:
    """Reports on the console; a pipe gets plain lines. `terminal_report` begins and ends the display."""

    def __init__(self, console: Console, progress: Progress, task: TaskID) -> None:
        self._console = console
        self._progress = progress
        self._task = task
        self._running: list[str] = []
        self._tenths = 0

    def started(self, stage: str) -> None:
        self._running.append(stage)
        self._show_running()

    def finished(self, stage: str, seconds: float, detail: str) -> None:
        self._running.remove(stage)
        self._show_running()
        took = Text(f"{stage:<18}").append(f"{seconds:6.1f} s", "dim")
        self._console.print(Text(" ok", "green"), "", took, "", detail, soft_wrap=True)

    def downloading(self, name: str, done_bytes: int, total_bytes: int) -> None:
        """Move the bar; a pipe gets a line for every tenth."""
        words = f"downloading {done_bytes // MEGABYTE} of {total_bytes // MEGABYTE} MB"
        self._progress.update(
            self._task, description=words, completed=done_bytes, total=total_bytes
        )
        tenths = done_bytes * 10 // max(total_bytes, 1)
        if not self._console.is_terminal and tenths > self._tenths:
            self._tenths = tenths
            self._console.print(f"      {words}")

    def _show_running(self) -> None:
        self._progress.update(self._task, description=", ".join(self._running), total=None)


@contextmanager
def terminal_report(console: Console | None = None) -> Iterator[TerminalReport]:
    console = console or open_console(stderr=wants_json())
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield TerminalReport(console, progress, progress.add_task("", total=None))


class _Rate(ProgressColumn):
    """How many are done in a second."""

    def render(self, task: Task) -> Text:
        return Text("" if task.speed is None else f"{task.speed:,.0f}/s")


@contextmanager
def open_bar(
    console: Console, words: str, *columns: ProgressColumn
) -> Iterator[Callable[..., None]]:
    """Show a bar on a terminal, unless JSON is wanted.

    The block gets a function to call with what is done, of how much, and new words.
    """
    all_columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *columns)
    disable = wants_json() or not console.is_terminal
    with Progress(*all_columns, console=console, transient=True, disable=disable) as progress:
        task = progress.add_task(words, total=None)
        yield lambda done, total, words=words: progress.update(
            task, description=words, completed=done, total=total
        )


@contextmanager
def counting(console: Console, words: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many of a number are done; the block gets a function to call with how many that is."""
    with open_bar(console, words) as show:
        show(0, total)
        yield lambda done: show(done, total)


@contextmanager
def working(console: Console, words: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show the same, with the rate and the time that is left."""
    with working_of(console, words) as show:
        show(0, total)
        yield lambda done: show(done, total)


def working_of(console: Console, words: str) -> AbstractContextManager[Callable[[int, int], None]]:
    """Show the same for work whose size becomes known only on the way."""
    return open_bar(console, words, _Rate(), TimeRemainingColumn())


def on_stderr(
    bar: Callable[..., AbstractContextManager[Callable[[int], None]]],
) -> ShowsProgress:
    """Return what shows the progress of an operation by `counting` or `working`."""
    console = open_console(stderr=True)
    return lambda words, total: bar(console, words, total)
