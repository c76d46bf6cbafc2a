"""Files that others read meanwhile, and that a loss of power leaves as they were before or after."""

import json
import os
import secrets
from pathlib import Path
from typing import Any


def read_json(path: Path) -> Any:
    """Return what a file says, None where there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def replace_file(path: Path, text: str, mode: int = 0o600) -> None:
    """Give a file another content in one step; whoever writes it at the same time does not disturb.

    Args:
        mode: Who may read it, less what the umask forbids.
    """
    partial = path.with_name(f"{path.name}.{secrets.token_hex(8)}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
