"""What a command shows on a terminal of some width."""

import os
import pty
import re
import select
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.settings import REPOSITORY
from tests import commands

WIDTHS = (40, 80, 200)
ENOUGH = 2000
"""So wide that nothing has to be broken or cut."""
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(
    columns: int | str, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """Run `tailrace` on a terminal; return what it ended with, what the terminal was sent, and its errors."""
    seen, terminal = pty.openpty()
    with tempfile.NamedTemporaryFile("r") as said:
        process = commands.start(
            "infra.cli",
            arguments,
            directory=REPOSITORY,
            environment={"TERM": "xterm", **environment, "COLUMNS": str(columns)},
            files=[Path(os.ttyname(terminal)), Path(said.name)],
        )
        shown = b""
        while process.is_alive() or _is_readable(seen):
            if _is_readable(seen, within_s=0.05):
                shown += os.read(seen, 65536)
        os.close(terminal)
        os.close(seen)
        process.join()
        return process.exitcode or 0, shown.decode(), said.read()


def _is_readable(descriptor: int, *, within_s: float = 0.0) -> bool:
    return bool(select.select([descriptor], [], [], within_s)[0])


def lost(narrow: str, wide: str) -> Counter[str]:
    """Return the words that a wide terminal was sent and a narrow one was not; words may stand in other lines."""
    return Counter(STYLE.sub("", wide).split()) - Counter(STYLE.sub("", narrow).split())
