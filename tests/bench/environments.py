"""Virtual environments of contenders that are made of libraries which the product has no use for."""

import shutil
import subprocess
import sys
from pathlib import Path

from infra.settings import REPOSITORY

ENVIRONMENTS = REPOSITORY / "build" / "bench-environments"


def environment(lock: Path) -> Path:
    """Return the interpreter of the environment that a lock describes, made anew when the lock has changed."""
    directory = ENVIRONMENTS / lock.parent.name
    made_from = directory / lock.name
    python = directory / "bin" / "python"
    if not made_from.is_file() or made_from.read_text() != lock.read_text():
        shutil.rmtree(directory, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", directory], check=True)
        install = ["install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
        subprocess.run([python, "-m", "pip", *install, "--requirement", lock], check=True)
        shutil.copy(lock, made_from)
    return python
