"""A context that one command has written, in a copy of the repository: it fits in, runs, and keeps its promises."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.settings import REPOSITORY
from tests.working_tree import copy_to

MOST_FILES = 12
MOST_LINES = 120
TIMEOUT_S = 420
CACHES = (".mypy_cache", ".ruff_cache")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git would commit."""
    directory = tmp_path_factory.mktemp("copy")
    copy_to(directory)
    for cache in CACHES:
        if (REPOSITORY / cache).is_dir():
            shutil.copytree(REPOSITORY / cache, directory / cache)
    return directory


def run(copy: Path, *arguments: str, status: int = 0) -> str:
    """Run a module in the copy; return what it says."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("TAILRACE_", "PYTEST_"))
    }
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=copy,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == status, f"{arguments}: {done.stdout}"
    return done.stdout


def files_of(copy: Path) -> dict[str, str]:
    return {
        str(path.relative_to(copy)): path.read_text()
        for folder in ("consumers", "cdc", "infra", "producers", "schemas", "tests", "docs")
        for path in (copy / folder).rglob("*")
        if path.suffix in {".py", ".sql", ".avsc", ".toml", ".json", ".md"}
    }


def test_meter_readings_beside_orders(copy: Path) -> None:
    before = files_of(copy)
    said = run(
        copy,
        *("infra.cli", "new", "context", "metering"),
        *("--consumes", "orders.OrderConfirmed", "--consumes", "canary.CanaryEmitted"),
        *("--emits", "metering.MeterInstalled"),
    )
    after = files_of(copy)
    changed = {path for path, text in after.items() if before.get(path) != text}
    generated = {path for path in changed if path.startswith(("docs/", "schemas/messages/"))}
    by_hand = changed - generated
    assert all(path in said for path in changed)
    assert len(by_hand) <= MOST_FILES, by_hand
    code = [path for path in by_hand if path.endswith((".py", ".sql", ".avsc"))]
    assert sum(len(after[path].splitlines()) for path in code) <= MOST_LINES + 10
    assert "create_" not in after["consumers/metering/migrations/versions/0001_metering.py"]

    run(copy, "ruff", "check", ".")
    run(copy, "ruff", "format", "--check", ".")
    run(copy, "mypy", "consumers/metering", "tests/integration/test_metering.py")
    quick = ("tests/contract", "tests/unit/test_contexts_are_apart.py", "tests/unit/infra")
    run(copy, "pytest", "-q", "-k", "not makefile", *quick)
    # brings up a stack of its own, which waits until the new worker has joined its group
    assert "1 passed" in run(copy, "pytest", "-q", "tests/integration/test_metering.py")
