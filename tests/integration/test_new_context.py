"""Contexts, resources and events added as the how-to pages say, in a copy of the repository: they fit in, and run."""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra.settings import REPOSITORY
from tests.walk import walk
from tests.working_tree import copy_to

HOW_TO = REPOSITORY / "docs/how-to"
MOST_FILES = {"consumer": 12, "rest": 14, "grpc": 9}
MOST_LINES = {"consumer": 130, "rest": 240, "grpc": 210}
CACHES = (".mypy_cache", ".ruff_cache")
ABOUT_CONTEXTS = (
    "tests/contract",
    "tests/unit/cdc/test_envelope.py",
    "tests/unit/infra/test_deployment.py",
    "tests/unit/infra/test_programs.py",
    "tests/unit/infra/test_scaffold.py",
    "tests/unit/infra/test_settings.py",
    "tests/unit/infra/test_shared_workers.py",
    "tests/unit/test_contexts_are_apart.py",
)
"""What of the tests that need nothing started reads what contexts declare."""
GENERATED = ("docs/", "schemas/messages/", "schemas/rest/openapi/", "schemas/rpc/")

COMMANDS = {
    "make generate": ("infra.generate",),
    "make schema-check": ("infra.cli", "schema", "check"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what git would commit, as the first commit of a repository of its own."""
    directory = tmp_path_factory.mktemp("copy")
    copy_to(directory)
    who = ("-c", "user.name=test", "-c", "user.email=test@localhost")
    for command in (("init", "-q", "-b", "main"), ("add", "."), (*who, "commit", "-qm", "All")):
        subprocess.run(["git", *command], cwd=directory, check=True)
    for cache in CACHES:
        if (REPOSITORY / cache).is_dir():
            shutil.copytree(REPOSITORY / cache, directory / cache)
    return directory


def run(copy: Path, *arguments: str) -> str:
    """Run a module in the copy; return what it says. Whatever it waits for has an end of its own."""
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
        check=False,
    )
    assert done.returncode == 0, f"{arguments}: {done.stdout}"
    return done.stdout


def files_of(copy: Path) -> dict[str, str]:
    return {
        str(path.relative_to(copy)): path.read_text()
        for folder in ("consumers", "cdc", "infra", "producers", "schemas", "tests", "docs")
        for path in (copy / folder).rglob("*")
        if path.suffix in {".py", ".pyi", ".sql", ".avsc", ".proto", ".toml", ".json", ".md"}
    }


def begin(copy: Path, *arguments: str) -> None:
    """Begin a context by the command, which writes little, says what it writes, and touches nothing else."""
    kind = next((kind for kind in ("rest", "grpc") if kind in arguments), "consumer")
    before = files_of(copy)
    said = run(copy, "infra.cli", *arguments)
    after = files_of(copy)
    changed = {path for path, text in after.items() if before.get(path) != text}
    by_hand = {path for path in changed if not path.startswith(GENERATED)}
    assert all(path in said for path in changed)
    declared = set() if kind == "grpc" else {"schemas/catalogue.toml"}
    assert {path for path in by_hand if path in before} == declared
    assert len(by_hand) <= MOST_FILES[kind], by_hand
    code = [path for path in by_hand if path.endswith((".py", ".sql", ".avsc", ".proto"))]
    assert sum(len(after[path].splitlines()) for path in code) <= MOST_LINES[kind]
    assert not [path for path in by_hand if "/migrations/" in path and "create_" in after[path]]


def follow(copy: Path, page: str) -> None:
    """Do what a page says; what it asks of a running service is for the tests that it has written."""

    def step(command: str) -> None:
        if command.startswith(".venv/bin/tailrace new context "):
            begin(copy, *shlex.split(command)[1:])
        elif command.startswith(".venv/bin/tailrace "):
            run(copy, "infra.cli", *shlex.split(command)[1:])
        elif not command.startswith("curl "):
            run(copy, *COMMANDS[command])

    walk(HOW_TO / page, copy, step)


def test_a_rest_service_begins_and_gets_a_resource_by_hand(copy: Path) -> None:
    follow(copy, "add-a-rest-resource.md")


def test_an_event_is_added_by_hand(copy: Path) -> None:
    follow(copy, "add-an-event.md")


def test_a_command_is_added_between_two_contexts(copy: Path) -> None:
    follow(copy, "add-a-command.md")


def test_a_setting_is_added_in_the_folder_of_its_context(copy: Path) -> None:
    before = files_of(copy)
    follow(copy, "add-a-setting.md")
    changed = {path for path, text in files_of(copy).items() if before.get(path) != text}
    assert {path for path in changed if not path.startswith("consumers/letters/")} == {
        "tests/unit/infra/test_letters.py"
    }
    run(copy, "pytest", "-q", "tests/unit/infra/test_letters.py")


def test_a_context_is_asked_and_answers(copy: Path) -> None:
    follow(copy, "ask-and-wait-for-a-reply.md")


def test_meter_readings_begin_beside_orders(copy: Path) -> None:
    begin(
        copy,
        *("new", "context", "metering"),
        *("--consumes", "orders.OrderConfirmed", "--consumes", "canary.CanaryEmitted"),
        *("--emits", "metering.MeterInstalled"),
    )


def test_a_grpc_service_begins(copy: Path) -> None:
    begin(copy, "new", "context", "rates", "--kind", "grpc")


def test_all_of_it_fits_in_and_runs(copy: Path) -> None:
    run(copy, "ruff", "check", ".")
    run(copy, "ruff", "format", "--check", ".")
    run(copy, "mypy")
    run(copy, "pytest", "-q", *ABOUT_CONTEXTS)
    # bring up a stack of their own, which waits until the new workers have joined their groups
    names = ("metering", "catalog", "review", "flagged", "dunning", "letters", "reminders")
    asked = ("tracking", "tracked", "rates")
    tests = [f"tests/integration/test_{name}.py" for name in (*names, *asked)]
    assert "16 passed" in run(copy, "pytest", "-q", *tests)
