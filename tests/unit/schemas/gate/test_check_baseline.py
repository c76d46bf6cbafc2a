"""Where the gate finds what to compare with: branches, clones, shallow clones, hooks, the registry."""

import json
import time
from pathlib import Path

import pytest

from schemas.gate import tree
from schemas.gate.baseline import from_git, from_registry
from schemas.gate.check import check
from schemas.gate.git import GitError
from tests.unit.schemas.gate.contract_repository import (
    CREATED,
    ORDER_CREATED,
    PROTO,
    READER,
    TODAY,
    ContractRepository,
)


@pytest.fixture
def repository(tmp_path: Path) -> ContractRepository:
    return ContractRepository.make(tmp_path / "clone")


def clone(repository: ContractRepository, *options: str) -> ContractRepository:
    """Clone a repository as over a network, by which alone a clone can be shallow."""
    copy = repository.root.with_name("copy")
    repository.git("clone", "--quiet", *options, f"file://{repository.root}", str(copy))
    return ContractRepository(copy)


def test_a_tag_and_a_commit_are_revisions_too(repository: ContractRepository) -> None:
    first = repository.git("rev-parse", "HEAD")
    repository.git("tag", "v1")
    repository.replace(ORDER_CREATED, '"name": "customer_id"', '"name": "buyer_id"')
    repository.commit()
    assert repository.refused("main") == []
    assert len(repository.refused("v1")) == len(repository.refused(first)) == 1


def test_a_branch_of_the_remote_alone_is_found(repository: ContractRepository) -> None:
    repository.git("branch", "feature")
    copy = clone(repository, "--branch", "feature")
    baseline = from_git(copy.schemas, "main")
    assert baseline.name == "git:origin/main"
    assert copy.refused() == []


def test_a_shallow_clone_without_the_branch_says_how_to_get_it(
    repository: ContractRepository,
) -> None:
    repository.git("branch", "feature")
    copy = clone(repository, "--depth", "1", "--branch", "feature")
    with pytest.raises(GitError, match="this shallow clone has no revision main") as caught:
        from_git(copy.schemas, "main")
    command = str(caught.value).split("`")[1]
    copy.git(*command.split()[1:])
    assert copy.refused() == []


def test_a_shallow_history_is_told(repository: ContractRepository) -> None:
    repository.add_field('{"name": "note", "type": "string", "default": ""}')
    repository.commit()
    report = clone(repository, "--depth", "1").check()
    assert report.compatible
    assert "git fetch --unshallow" in report.notes[0]


@pytest.mark.parametrize("ref", ["nowhere", "--output=x", "main..main"])
def test_an_unknown_revision_is_one_sentence(repository: ContractRepository, ref: str) -> None:
    with pytest.raises(GitError, match="the repository has no revision"):
        from_git(repository.schemas, ref)


def test_outside_a_repository_there_is_nothing_to_compare_with(tmp_path: Path) -> None:
    with pytest.raises(GitError, match=r"is in no git repository.*--against registry"):
        from_git(tmp_path, "main")


def test_without_git_there_is_a_sentence(
    repository: ContractRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(GitError, match="git is not installed"):
        from_git(repository.schemas, "main")


def test_a_hook_of_another_repository_changes_nothing(
    repository: ContractRepository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    baseline = from_git(repository.schemas, "main")
    assert baseline.files == tree.read(repository.schemas)


def test_contracts_may_be_deep_in_a_repository(tmp_path: Path) -> None:
    outer = ContractRepository.make(tmp_path / "outer")
    inner = outer.root / "services" / "shop"
    inner.mkdir(parents=True)
    outer.git("mv", "schemas", "services/shop/schemas")
    outer.commit()
    repository = ContractRepository(inner)
    repository.add_field('{"name": "note", "type": "string"}')
    repository.replace(PROTO, "string name = 2", "string name = 3")
    files = {each.file for each in repository.check().findings}
    assert files == {f"services/shop/schemas/{path}" for path in (ORDER_CREATED, PROTO)}


def test_lines_that_end_as_on_windows_are_no_change(repository: ContractRepository) -> None:
    for path in (PROTO, READER):
        text = (repository.schemas / path).read_bytes()
        (repository.schemas / path).write_bytes(text.replace(b"\n", b"\r\n"))
    repository.commit()
    assert tree.read(repository.schemas) == from_git(repository.schemas, "main").files


def test_a_first_commit_of_contracts_breaks_nobody(tmp_path: Path) -> None:
    repository = ContractRepository.make(tmp_path / "clone")
    repository.git("switch", "--quiet", "--orphan", "empty")
    repository.git("commit", "--quiet", "--allow-empty", "--message", "Begin")
    repository.git("switch", "--quiet", "main")
    assert repository.refused("empty") == []


def test_the_registry_is_compared_version_by_version(repository: ContractRepository) -> None:
    second = json.loads(CREATED)
    second["fields"].append({"name": "note", "type": "string", "default": ""})
    versions = {"orders.OrderCreated": {1: json.dumps(json.loads(CREATED)), 3: json.dumps(second)}}
    repository.add_field('{"name": "note", "type": "int", "default": 0}')
    files = tree.read(repository.schemas)
    names = ("orders.OrderCreated", "orders.OrderCancelled")
    baseline = from_registry(repository.schemas, names, lambda name: versions.get(name, {}))
    report = check(files, baseline, today=TODAY, started=time.perf_counter())
    [finding] = report.findings
    assert finding.rule == "type-changed"
    assert finding.problem.endswith("(version 3)")
    assert (report.protos, report.documents, report.commit) == (0, 0, None)


def test_200_schemas_with_history_need_few_processes(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    repository = ContractRepository.make(tmp_path / "clone")
    names = [f"orders.Event{number}" for number in range(200)]
    listed = ", ".join(f'"{name}"' for name in names)
    repository.replace("catalogue.toml", 'messages = ["', f'messages = [{listed}, "')
    for version in range(5):
        for name in names:
            text = CREATED.replace("OrderCreated", name.removeprefix("orders."))
            doc = text.replace("Who ordered.", f"Who ordered, take {version}.")
            repository.write(tree.path_of(name), doc)
        repository.commit()
    repository.add_field('{"name": "note", "type": "string"}', tree.path_of(names[0]))
    trace = tmp_path / "trace"
    monkeypatch.setenv("GIT_TRACE", str(trace))
    report = repository.check()
    assert report.messages == 202
    assert len(report.findings) == 1
    assert trace.read_text().count("trace: built-in: git") <= 4
