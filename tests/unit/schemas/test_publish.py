"""What publishing knows without a registry: who publishes, from where, and what the gate has to say."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from infra.operations.schema import joined
from schemas.catalogue import catalogue, parse
from schemas.publications import Publication, _from_json, _to_json
from schemas.publish_plan import BrokenContractError, Contract, contracts, judge
from schemas.publisher import present, revision
from schemas.registry_subjects import Registered

GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")


def git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(
        [*GIT, "-C", str(directory), *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    git(tmp_path, "init")
    (tmp_path / "schemas").mkdir()
    (tmp_path / "schemas" / "a.avsc").write_text("1")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-m", "first")
    return tmp_path


def test_the_revision_is_the_commit(repository: Path) -> None:
    assert revision(repository / "schemas") == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("name", ["a.avsc", "new.avsc"])
def test_a_changed_or_new_schema_marks_it(repository: Path, name: str) -> None:
    (repository / "schemas" / name).write_text("2")
    assert revision(repository / "schemas") == git(repository, "rev-parse", "HEAD") + "-dirty"


def test_what_changes_elsewhere_does_not(repository: Path) -> None:
    (repository / "README").write_text("2")
    assert revision(repository / "schemas") == git(repository, "rev-parse", "HEAD")


def test_a_hook_does_not_lead_it_astray(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere")
    assert revision(repository / "schemas") is not None


def test_outside_a_repository_there_is_none(tmp_path: Path) -> None:
    assert revision(tmp_path) is None


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({"TAILRACE_PUBLISHER_NAME": "release job", "GITHUB_ACTOR": "ada"}, "release job"),
        ({"TAILRACE_PUBLISHER_NAME": "", "GITHUB_ACTOR": "ada"}, "ada"),
        ({"GITLAB_USER_LOGIN": "bob"}, "bob"),
    ],
)
def test_ci_says_who_publishes(environment: dict[str, str], name: str) -> None:
    assert present(environment).name == name


def test_else_it_is_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "grace")
    assert present({}).name == "grace"


def contract(*fields: str, rule: str = "FULL_TRANSITIVE") -> Contract:
    typed = [{"name": field, "type": "string"} for field in fields]
    document = {"type": "record", "name": "Order", "namespace": "shop", "fields": typed}
    return Contract("shop.Order", json.dumps(document), rule)


def test_the_gate_judges_by_the_subjects_rule() -> None:
    held = [Registered(1, 1, contract("id").text)]
    assert judge(contract("id", "total", rule="FORWARD"), held) == []
    (finding,) = judge(contract("id", "total", rule="BACKWARD"), held)
    assert finding.rule == "field-added-without-default"


def test_a_registry_that_holds_no_schema_is_a_finding() -> None:
    held = [Registered(3, 9, '{"type": "recrod"}')]
    (finding,) = judge(contract("id"), held)
    assert finding.rule == "schema-malformed"
    assert "version 3 in the registry is malformed" in finding.problem


def test_what_is_published_is_the_catalogue() -> None:
    published = contracts()
    assert [each.subject for each in published] == list(catalogue().messages)
    assert {each.rule for each in published} == {"FULL_TRANSITIVE"}


def test_a_message_without_a_schema_is_a_finding() -> None:
    declared = parse(
        '[topics."a.events"]\nowner = "a"\naggregate = "a"\npartitions = 1\nretention_hours = 1\n'
        'messages = ["a.Missing"]\n'
    )
    with pytest.raises(BrokenContractError, match="its schema cannot be read: no schema file"):
        contracts(declared)


def publication(version: int, schema_id: int, name: str) -> Publication:
    return Publication(
        subject="shop.Order",
        version=version,
        schema_id=schema_id,
        published_at=datetime(2026, 1, version, tzinfo=UTC),
        publisher=name,
        revision=None,
    )


def test_a_publication_survives_the_log() -> None:
    noted = publication(1, 7, "ada")
    assert _from_json(_to_json(noted)) == noted
    assert _from_json(_to_json(noted)[:-1] + b', "of_a_newer_release": 1}') == noted


def test_history_joins_versions_and_publications() -> None:
    versions = [Registered(1, 7, ""), Registered(2, 8, ""), Registered(3, 9, "")]
    log = [
        publication(1, 4, "before the registry was emptied"),
        publication(1, 7, "ada"),
        publication(3, 9, "bob"),
    ]
    entries = joined(versions, log)
    assert [(each.version, each.publisher) for each in entries] == [
        (1, "ada"),
        (2, None),
        (3, "bob"),
    ]
