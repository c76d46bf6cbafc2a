import sys
from dataclasses import replace
from pathlib import Path

import pytest

from infra.interpreter import module_command
from infra.local.parts import parts_of
from infra.local.program import Program, fingerprint
from infra.local.programs import keep_running, parts_brought_up, remember, remembered
from tests.stack import own_settings


@pytest.fixture
def broker(tmp_path: Path) -> Program:
    (tmp_path / "supervisor").mkdir()
    argv = ("java", "-Xmx1m", "kafka.Kafka")
    return Program(
        name="kafka",
        argv=argv,
        env={"A": "b"},
        directory=tmp_path,
        stage=20,
        fingerprint=fingerprint(argv, {"A": "b"}),
    )


def test_programs_are_remembered_as_they_were(broker: Program, tmp_path: Path) -> None:
    assert remembered(tmp_path) == []
    remember(tmp_path, [broker])
    assert remembered(tmp_path) == [broker]


@pytest.mark.parametrize(
    "content", ["null", "[{}]", '[{"argv": [], "directory": "/", "x": 1}]', "["]
)
def test_programs_of_another_version_are_as_good_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "supervisor").mkdir()
    (tmp_path / "supervisor/programs.json").write_text(content)
    assert remembered(tmp_path) == []


def test_parts_are_those_that_the_stack_was_brought_up_with(tmp_path: Path) -> None:
    names = {part.name for part in parts_brought_up(own_settings(tmp_path, console="off"))}
    assert "connect" in names
    assert not {"console", "relay"} & names
    (tmp_path / "supervisor").mkdir()
    settings = own_settings(tmp_path, publisher="relay", workers="shared")
    remember(
        tmp_path,
        [
            part.prepare(settings)
            for part in parts_of(settings)
            if part.name in {"relay", "console"}
        ],
    )
    names = {part.name for part in parts_brought_up(own_settings(tmp_path, console="off"))}
    assert {"console", "relay"} <= names
    assert "connect" not in names


def test_a_start_up_cache_that_appears_is_no_change(broker: Program, tmp_path: Path) -> None:
    remember(tmp_path, [broker])
    argv = ("java", "-XX:AOTCache=/x", *broker.argv[1:])
    faster = replace(broker, argv=argv, fingerprint=fingerprint(argv, broker.env))
    assert keep_running(tmp_path, [faster], running={"kafka"}) == [broker]
    assert keep_running(tmp_path, [faster], running=()) == [faster]


def test_a_changed_file_is_a_change(broker: Program, tmp_path: Path) -> None:
    file = tmp_path / "server.properties"
    file.write_text("port=1")
    before = fingerprint(broker.argv, broker.env, [file])
    file.write_text("port=2")
    assert fingerprint(broker.argv, broker.env, [file]) != before


def test_a_changed_program_replaces_the_running_one(broker: Program, tmp_path: Path) -> None:
    remember(tmp_path, [broker])
    changed = replace(broker, env={"A": "c"}, fingerprint="other")
    assert keep_running(tmp_path, [changed], running={"kafka"}) == [changed]


@pytest.mark.parametrize("name", ["python", "python3"])
def test_another_name_of_the_interpreter_is_no_change(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = module_command("cdc.relay", "--fast")
    monkeypatch.setattr(sys, "executable", str(Path(sys.executable).with_name(name)))
    assert module_command("cdc.relay", "--fast") == before
