"""What is remembered of the schemas that migrations make: for whom it holds, and what is done about a damaged file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.deployment import Capture, Deployment
from infra.drift import declared, delivery
from infra.drift.declared import FILE, Part, declared_parts
from infra.services import MIGRATIONS
from infra.settings import load_settings

PART = Part("table", "outbox", "")


@pytest.fixture
def deployment() -> Deployment:
    return load_settings().deployment()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list of what is made in throwaway schemas."""
    schemas: list[str] = []

    def make(_capture: Capture, _connection: Any, schema: str) -> declared.Parts:
        schemas.append(schema)
        return {PART: schema}

    @contextmanager
    def alone(_capture: Capture) -> Iterator[None]:
        yield

    monkeypatch.setattr(declared, "_made", make)
    monkeypatch.setattr(declared, "_alone", alone)
    return schemas


def parts(deployment: Deployment, state: Path, version: int = 180001) -> Any:
    connection: Any = SimpleNamespace(info=SimpleNamespace(server_version=version))
    return declared_parts(deployment.main, state, connection)


def test_parts_are_made_once_for_each_version_of_the_server(
    deployment: Deployment, made: list[str], tmp_path: Path
) -> None:
    schemas = [*deployment.main.schemas]
    for version in (180001, 180002, 180001, 180002):
        assert parts(deployment, tmp_path, version) == {each: {PART: each} for each in schemas}
    assert made == schemas * 2


def test_parts_are_made_anew_when_a_schema_is_made_by_other_migrations(
    deployment: Deployment, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts(deployment, tmp_path)
    fewer = {name: packages[:1] for name, packages in MIGRATIONS.items()}
    monkeypatch.setattr(declared, "MIGRATIONS", fewer)
    parts(deployment, tmp_path)
    assert made == [*deployment.main.schemas] * 2


@pytest.mark.parametrize("text", ["", '{"migrations": "', "\0\0"])
def test_a_file_that_cannot_be_read_is_written_anew(
    deployment: Deployment, made: list[str], tmp_path: Path, text: str
) -> None:
    (tmp_path / FILE).write_text(text)
    parts(deployment, tmp_path)
    parts(deployment, tmp_path)
    assert made == [*deployment.main.schemas]
    assert json.loads((tmp_path / FILE).read_text())["schemas"]


def test_what_another_process_has_made_meanwhile_is_not_made_again(
    deployment: Deployment, made: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def alone_after_another(_capture: Capture) -> Iterator[None]:
        (tmp_path / FILE).write_text(by_another)
        yield

    parts(deployment, tmp_path)
    by_another = (tmp_path / FILE).read_text()
    (tmp_path / FILE).unlink()
    with monkeypatch.context() as patched:
        patched.setattr(declared, "_alone", alone_after_another)
        parts(deployment, tmp_path)
    assert made == [*deployment.main.schemas]


def test_a_note_of_what_was_delivered_that_cannot_be_read_is_none(
    deployment: Deployment, tmp_path: Path
) -> None:
    noting: Any = SimpleNamespace(state=tmp_path)
    (tmp_path / delivery.FILE).write_text('"2026-11-')
    assert delivery._delivered_until(noting) is None
    moment = datetime(2026, 11, 28, tzinfo=UTC)
    delivery._note(noting, moment)
    assert delivery._delivered_until(noting) == moment
