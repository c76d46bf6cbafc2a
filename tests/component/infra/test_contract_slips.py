"""A slip in a contract file is one sentence that says where, whatever command meets it; help needs no contracts."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.cli import COMMANDS
from tests.working_tree import copy_to

CATALOGUE = "schemas/catalogue.toml"
EVENT = "schemas/avro/shipping/ShipmentCreated.avsc"
PINNED = "schemas/readers/payments-worker/orders.OrderCreated.avsc"
GENERATE = ("infra.generate",)
TOPICS = ("infra.cli", "topics", "list")
NEW = ("infra.cli", "new", "context", "ferry", "--consumes", "users.UserSignedUp")
GOLDEN = ("infra.cli", "schema", "golden", "shipping.ShipmentCreated")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("copy")
    copy_to(directory)
    return directory


@pytest.fixture
def slip(repository: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """A file of the copy in which something was replaced; its path."""
    name, before, after = request.param
    file = repository / name
    text = file.read_bytes()
    assert before in text
    file.write_bytes(text.replace(before, after, 1))
    yield name
    file.write_bytes(text)


def run(repository: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=repository,
        env={"PATH": "", "TAILRACE_HOME": str(repository / "home")},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize(
    ("slip", "command"),
    [
        ((CATALOGUE, b'owner = "users"\n', b""), TOPICS),
        ((CATALOGUE, b"retention_hours = ", b"retention_hours = true #"), NEW),
        ((CATALOGUE, b'kind = "commands"', b'kind = "orders"'), GENERATE),
        ((CATALOGUE, b"messages = [", b"messages = [,"), GENERATE),
        ((CATALOGUE, b"#", b"# \xe4"), TOPICS),
        ((EVENT, b"{", b"{{"), GENERATE),
        ((EVENT, b'"fields"', b'"field"'), GENERATE),
        ((EVENT, b'"ShipmentCreated"', b'"ShipmentMade"'), GOLDEN),
        ((EVENT, b'"namespace"', b'"name": "Two", "namespace"'), GOLDEN),
        ((EVENT, b'"timestamp-micros"', b'"timestamp-micros'), NEW),
        ((PINNED, b'"record"', b'"recrd"'), GENERATE),
        ((PINNED, b"]", b""), GENERATE),
    ],
    indirect=["slip"],
)
def test_it_is_told_with_its_file_and_line(
    repository: Path, slip: str, command: tuple[str, ...]
) -> None:
    done = run(repository, *command)
    [told] = done.stderr.splitlines()
    assert f"{slip}, line " in told
    assert done.returncode in {1, 2}
    assert done.stdout == ""
    assert not (repository / "consumers/ferry").exists()


@pytest.mark.parametrize("slip", [(CATALOGUE, b"[topics", b"[")], indirect=True)
def test_help_is_given_whatever_the_catalogue_says(repository: Path, slip: str) -> None:
    modules = sorted(where.partition(":")[0] for where, _ in COMMANDS.values())
    done = run(repository, "timeit", "-n1", "-r1", f"import {', '.join(modules)}")
    assert done.returncode == 0, done.stderr
