"""What a command shows on a terminal of some width."""

import os
import pty
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence

from infra.settings import REPOSITORY

WIDTHS = (40, 80, 200)
ENOUGH = 2000
"""So wide that nothing has to be broken or cut."""
STYLE = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(
    columns: int | str, arguments: Sequence[str], environment: Mapping[str, str]
) -> tuple[int, str, str]:
    """Run `tailrace` on a terminal; return what it ended with, what the terminal was sent, and its errors."""
    seen, terminal = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "infra.cli", *arguments],
        cwd=REPOSITORY,
        env={"TERM": "xterm", **environment, "COLUMNS": str(columns)},
        stdout=terminal,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(terminal)
    shown = b""
    try:
        while part := os.read(seen, 65536):
            shown += part
    except OSError:
        pass
    _, said = process.communicate()
    os.close(seen)
    return process.returncode, shown.decode(), said


def lost(narrow: str, wide: str) -> Counter[str]:
    """Return the words that a wide terminal was sent and a narrow one was not; words may stand in other lines."""
    return Counter(STYLE.sub("", wide).split()) - Counter(STYLE.sub("", narrow).split())
