"""How a benchmark is shown while it runs: a moving line on a terminal, and a line for each step that is done."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.text import Text


class Progress:
    """Shows steps on a console, one at a time.

    Args:
        console: Where; standard error, so that it does not mix with the result.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._status = console.status("")
        self._title = ""

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Show a step while the block runs, and its line when it has succeeded."""
        begin = time.monotonic()
        self._title = title
        self.now("")
        with self._status:
            yield
        seconds = time.monotonic() - begin
        self._console.print(
            Text.assemble("  ", ("ok", "green"), f"  {title}  ", (f"{seconds:.1f} s", "dim"))
        )

    def now(self, detail: str) -> None:
        """Show how far the step is."""
        self._status.update(Text.assemble(f"{self._title}  ", (detail, "dim")))

    def found(self, line: str) -> None:
        """Show what a step has found."""
        self._console.print(Text(f"      {line}"))
