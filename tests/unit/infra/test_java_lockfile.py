"""The lock of the Java artifacts: its text, what is committed, and what its maintainer may not lock."""

from dataclasses import replace

import pytest

from infra.local.java.lock import EXPECTED, LockError, check
from infra.local.java.lockfile import LOCK_FILE, Artifact, read, render

CLIENTS = Artifact("org.apache.kafka", "kafka-clients", EXPECTED["org.apache.kafka"], "ab" * 32, 7)


def test_a_line_is_read_as_it_was_written() -> None:
    archive = Artifact("io.apicurio", "app", "3.3.3", "cd" * 32, 9, "tar.gz", "all")
    assert str(archive) == f"io.apicurio:app:3.3.3:tar.gz:all {'cd' * 32} 9"
    for artifact in (CLIENTS, archive):
        assert Artifact.parse(str(artifact)) == artifact


def test_paths_follow_the_layout_of_maven() -> None:
    archive = Artifact("io.apicurio", "app", "3.3.3", "cd" * 32, 9, "tar.gz", "all")
    assert archive.path == "io/apicurio/app/3.3.3/app-3.3.3-all.tar.gz"
    assert CLIENTS.path.startswith("org/apache/kafka/kafka-clients/")
    assert CLIENTS.path.endswith(".jar")


def test_the_committed_lock_is_what_its_command_writes() -> None:
    assert render(read()) == LOCK_FILE.read_text()


def test_the_committed_lock_passes_its_own_checks() -> None:
    parts = read()
    assert set(parts) == {"kafka", "connect", "registry", "zipkin", "agent"}
    for part, artifacts in parts.items():
        check(part, artifacts)


@pytest.mark.parametrize(
    ("others", "complaint"),
    [
        pytest.param([replace(CLIENTS, version="3.9.1")], "3.9.1", id="pulled down by a BOM"),
        pytest.param([CLIENTS, CLIENTS], "two versions", id="twice"),
        pytest.param(
            [Artifact("org.postgresql", "postgresql", "42.7.12", "ef" * 32, 1)],
            "too old",
            id="vulnerable driver",
        ),
    ],
)
def test_contradicting_and_old_versions_are_refused(others: list[Artifact], complaint: str) -> None:
    with pytest.raises(LockError, match=complaint):
        check("connect", others)
