"""Replays with the handlers of another revision: which one that is, also when its branch has moved meanwhile."""

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from consumers.replay.state import RunState
from infra.operations.replay import code
from infra.operations.replay.code import Code, CodeError, find_code, other_code, replay_with
from infra.operations.replay.request import ReplayRequest
from infra.repository import REPOSITORY
from infra.settings import load_settings
from schemas.gate.git import INHERITED

Commit = Callable[[str, str], str]


@pytest.fixture
def commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Commit:
    """Return what changes a file in a repository that is in the place of ours, commits it, and returns the commit."""
    for name in (*INHERITED, code.VARIABLE, code.COMMIT):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(code, "REPOSITORY", tmp_path)

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
        command = ["git", *identity, *arguments]
        return subprocess.run(
            command, cwd=tmp_path, check=True, capture_output=True, text=True
        ).stdout.strip()

    def make(file: str, text: str) -> str:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(text)
        git("add", ".")
        git("commit", "-m", text)
        return git("rev-parse", "HEAD")

    git("init", "--initial-branch=main")
    make("schemas/contract", "one")
    return make


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what the command in the worktree was told."""
    seen: dict[str, Any] = {}

    def run(argv: Sequence[str], directory: Path, variables: Mapping[str, str]) -> int:
        seen.update(
            words=argv[4:],
            handlers=(directory / "consumers/replay/handlers").read_text(),
            code={name: variables[name] for name in (code.VARIABLE, code.COMMIT)},
        )
        return 0

    monkeypatch.setattr(code, "_run", run)
    return seen


def replay(found: Code, **options: Any) -> int:
    request = ReplayRequest(who="ada", **options)
    return replay_with(load_settings().deployment(), found, request, "payments")


def state_of(told: Mapping[str, Any], **other: Any) -> RunState:
    """Return what the command in the worktree remembers."""
    values = told["code"]
    kept = {"code": values[code.VARIABLE], "commit": values[code.COMMIT]} | other
    return RunState(run_id="r", mode="sandbox", asked={}, plan={}, target="", **kept)


def test_a_resumed_replay_goes_on_with_the_commit_that_it_was_begun_with(
    commit: Commit, told: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = commit("consumers/replay/handlers", "then")
    assert replay(find_code("main")) == 0
    begun = dict(told)
    assert begun["code"] == {code.VARIABLE: f"main ({first[:7]})", code.COMMIT: first}
    commit("consumers/replay/handlers", "now")
    for state in (state_of(begun), state_of(begun, commit=None)):
        found = other_code(state)
        assert found
        replay(found, resume="r")
        assert told == begun | {"words": ["--resume=r"]}
        with monkeypatch.context() as there:
            there.setattr(os, "environ", os.environ | told["code"])
            assert other_code(state) is None


@pytest.mark.parametrize("begun", ["main (1234567)", None])
def test_a_process_of_one_revision_starts_none_of_another(
    monkeypatch: pytest.MonkeyPatch, begun: str | None
) -> None:
    monkeypatch.setenv(code.VARIABLE, "main (89abcde)")
    state = RunState(run_id="r", mode="sandbox", asked={}, plan={}, target="", code=begun)
    with pytest.raises(CodeError, match=r"these are of main \(89abcde\)"):
        other_code(state)


def test_tables_are_compared_when_a_replay_is_resumed_too(
    commit: Commit, told: dict[str, Any]
) -> None:
    commit("consumers/replay/handlers", "then")
    replay(find_code("main"))
    commit("consumers/sagas/ddl/1.sql", "another table")
    found = other_code(state_of(told))
    assert found
    with pytest.raises(CodeError, match="makes other tables"):
        replay(found, resume="r")


def test_all_that_makes_tables_besides_migrations_of_contexts_is_compared() -> None:
    packages = ("cdc", "consumers", "producers")
    found = {
        str(path.relative_to(REPOSITORY))
        for package in packages
        for path in (REPOSITORY / package).rglob("ddl")
    }
    assert found <= {*code.TABLES}
