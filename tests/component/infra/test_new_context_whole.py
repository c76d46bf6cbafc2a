"""A context that cannot be begun to its end leaves nothing behind, whatever has stopped it."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.probe import wait_until
from tests.again import show
from tests.working_tree import copy_to

ENDED_S = 60
FOLDERS = ("cdc", "consumers", "docs", "infra", "producers", "schemas", "tests")


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("copy")
    copy_to(directory)
    return directory


@pytest.fixture
def as_before(repository: Path) -> Iterator[None]:
    before = files_of(repository)
    yield
    assert files_of(repository) == before


def files_of(repository: Path) -> dict[Path, bytes]:
    """Return what is in a copy but for compiled modules, folders among it as what is empty."""
    return {
        path: path.read_bytes() if path.is_file() else b""
        for folder in FOLDERS
        for path in (repository / folder).rglob("*")
        if "__pycache__" not in path.parts
    }


def begin(repository: Path, name: str) -> "subprocess.Popen[str]":
    options = ("--consumes", "users.UserSignedUp", "--emits", f"{name}.Crossed")
    return subprocess.Popen(
        [sys.executable, "-m", "infra.cli", "new", "context", name, *options],
        cwd=repository,
        env={"PATH": "", "TAILRACE_HOME": str(repository / "home")},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(
    ("name", "before", "after", "told"),
    [
        ("schemas/proto/tailrace/users/v1/users.proto", b"syntax", b"sintax", "users.proto:1:1"),
        (
            "schemas/golden/users.UserSignedUp.v1.json",
            b"{",
            b"",
            "users.UserSignedUp.v1.json, line",
        ),
        ("producers/webhooks/v1.py", b"from", b"form", "SyntaxError"),
    ],
)
def test_a_fault_nearby_leaves_nothing(
    repository: Path, name: str, before: bytes, after: bytes, told: str
) -> None:
    file = repository / name
    text = file.read_bytes()
    file.write_bytes(text.replace(before, after, 1))
    try:
        process = begin(repository, "ferry")
        said, complaint = process.communicate(timeout=ENDED_S)
    finally:
        file.write_bytes(text)
    [sentence] = complaint.splitlines()
    assert sentence.startswith("tailrace: Nothing was written: ")
    assert told in sentence
    assert (process.returncode, said) == (2, "")


@pytest.mark.usefixtures("as_before")
@pytest.mark.parametrize(
    "until",
    [
        "consumers/{}/service.py",
        "schemas/golden/{}.Crossed.v1.json",
        "docs/catalogue/{}.events.md",
    ],
)
def test_an_interrupt_leaves_nothing(repository: Path, until: str) -> None:
    process = begin(repository, "ferry")
    awaited = repository / until.format("ferry")
    wait_until(
        f"there is no {awaited.name}",
        lambda: awaited.exists() or process.poll() is not None,
        timeout_s=ENDED_S,
        interval_s=0.002,
    )
    show(process.poll() is None, "it was done before it was interrupted")
    os.killpg(process.pid, signal.SIGINT)
    _, complaint = process.communicate(timeout=ENDED_S)
    assert (process.returncode, complaint.strip()) == (1, "Interrupted.")
