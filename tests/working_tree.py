"""Copies of the repository as it is, with what git would commit and nothing else."""

import shutil
import subprocess
from pathlib import Path

from infra.settings import REPOSITORY


def copy_to(directory: Path) -> None:
    """Copy every file that git knows, or would take, into a directory."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (REPOSITORY / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(REPOSITORY / name, directory / name)
