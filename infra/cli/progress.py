"""How a start is shown: a line per finished stage, and on a terminal a moving line for those under way."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

MEGABYTE = 2**20


class TerminalReport:
    """Reports on the console; a pipe gets plain lines."""

    def __init__(self, console: Console, progress: Progress, task: TaskID) -> None:
        """Use `terminal_report`, which begins and ends the display."""
        self._console = console
        self._progress = progress
        self._task = task
        self._running: list[str] = []
        self._files: dict[str, tuple[int, int]] = {}
        self._tenths = 0

    def started(self, stage: str) -> None:
        """Show the stage among those under way."""
        self._running.append(stage)
        self._show_running()

    def finished(self, stage: str, seconds: float, detail: str) -> None:
        """Print the stage's line."""
        self._running.remove(stage)
        self._show_running()
        self._console.print(f"  [green]ok[/]  {stage:<18}[dim]{seconds:6.1f} s[/]  {detail}")

    def downloading(self, name: str, done_bytes: int, total_bytes: int) -> None:
        """Move the bar; a pipe gets a line for every tenth."""
        self._files[name] = (done_bytes, total_bytes)
        done = sum(done for done, _ in self._files.values())
        total = sum(total for _, total in self._files.values())
        words = f"downloading {done // MEGABYTE} of {total // MEGABYTE} MB"
        self._progress.update(self._task, description=words, completed=done, total=total)
        if not self._console.is_terminal and done * 10 // max(total, 1) > self._tenths:
            self._tenths = done * 10 // total
            self._console.print(f"      {words}")

    def _show_running(self) -> None:
        self._progress.update(self._task, description=", ".join(self._running), total=None)


@contextmanager
def terminal_report(console: Console) -> Iterator[TerminalReport]:
    """Show a start on the console until the block ends."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        yield TerminalReport(console, progress, progress.add_task("", total=None))
