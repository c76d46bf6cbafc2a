"""The Python that runs our programs, by one name however we were started ourselves."""

import sys
from pathlib import Path


def module_command(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command line that runs a module with the interpreter that runs us.

    A virtual environment has its interpreter under several names (`python`, `python3`). Supervision would take the
    same program under another name for a changed one, and start it anew.
    """
    executable = Path(sys.executable)
    if sys.prefix != sys.base_prefix:
        executable = executable.with_name("python")
    return (str(executable), "-m", module, *arguments)
