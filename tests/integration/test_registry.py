"""The registry: everybody reads, one role writes; publishing, its history, and whether registry and gate agree."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from schemas import publish as publishing
from schemas.catalogue import catalogue
from schemas.contracts import canonical
from schemas.publications import PublicationLog, PublicationLogError
from schemas.publish import Published
from schemas.publish_plan import BrokenContractError, Contract, judge, plan
from schemas.publisher import Publisher
from schemas.registry import RegistryRefusedError, RegistryUnavailableError, SchemaStore
from schemas.registry_settings import RegistrySettings
from schemas.registry_subjects import IncompatibleSchemaError, Registered, Subjects
from tests.integration.schema_changes import CHANGES, DIFFERENCES, SchemaChange
from tests.stack import RunningStack

ADA = Publisher("ada", "0123abcd")


@pytest.fixture
def writer(stack: RunningStack) -> RegistrySettings:
    return stack.deployment.registry_writer


@pytest.fixture
def log(stack: RunningStack) -> PublicationLog:
    return PublicationLog(stack.settings.kafka_bootstrap)


@pytest.fixture
def subjects(writer: RegistrySettings) -> Iterator[Subjects]:
    with Subjects.open(writer) as subjects:
        yield subjects


@pytest.fixture
def subject() -> str:
    """A subject that no other test has."""
    return f"shop.Order{uuid.uuid4().hex}"


def schema(subject: str, *optional: str, **required: Any) -> str:
    """Return a schema with an id, optional strings and required fields."""
    namespace, _, name = subject.rpartition(".")
    fields: list[dict[str, Any]] = [{"name": "id", "type": "string"}]
    fields += [{"name": each, "type": ["null", "string"], "default": None} for each in optional]
    fields += [{"name": each, "type": kind} for each, kind in required.items()]
    return json.dumps({"type": "record", "name": name, "namespace": namespace, "fields": fields})


def contract(subject: str, *optional: str, **required: Any) -> Contract:
    return Contract(subject, schema(subject, *optional, **required), "FULL_TRANSITIVE")


# --- who may do what ---


def writes(base: str, subject: str) -> list[httpx2.Request]:
    root, body = base.partition("/apis/")[0], {"schema": schema(subject)}
    native = f"{root}/apis/registry/v3"
    return [
        httpx2.Request("POST", f"{base}/subjects/{subject}/versions", json=body),
        httpx2.Request("POST", f"{root}/apis/ccompat/v8/subjects/{subject}/versions", json=body),
        httpx2.Request("DELETE", f"{base}/subjects/{subject}"),
        httpx2.Request("DELETE", f"{base}/subjects/{subject}/versions/1"),
        httpx2.Request("PUT", f"{base}/config/{subject}", json={"compatibility": "NONE"}),
        httpx2.Request("DELETE", f"{base}/config/{subject}"),
        httpx2.Request("PUT", f"{base}/config", json={"compatibility": "NONE"}),
        httpx2.Request("PUT", f"{base}/mode", json={"mode": "READONLY"}),
        httpx2.Request("POST", f"{native}/groups/default/artifacts", json={"artifactId": subject}),
        httpx2.Request("DELETE", f"{native}/groups/default/artifacts/{subject}"),
        httpx2.Request("POST", f"{native}/admin/rules", json={"ruleType": "VALIDITY"}),
        httpx2.Request("GET", f"{native}/admin/export"),
    ]


def test_an_application_can_change_nothing(
    stack: RunningStack, subjects: Subjects, subject: str
) -> None:
    subjects.register(subject, schema(subject))
    with httpx2.Client() as application:
        for request in writes(stack.settings.registry_url, subject):
            assert application.send(request).status_code == httpx2.codes.UNAUTHORIZED, request
    assert len(subjects.versions(subject)) == 1


def test_nobody_gets_in_with_a_wrong_password(stack: RunningStack, subject: str) -> None:
    with httpx2.Client(auth=("publisher", "guessed")) as intruder:
        for request in writes(stack.settings.registry_url, subject):
            assert intruder.send(request).status_code == httpx2.codes.UNAUTHORIZED, request


def test_the_publisher_changes_subjects_and_not_the_registry(
    stack: RunningStack, writer: RegistrySettings
) -> None:
    url = stack.settings.registry_url
    password = (stack.settings.secrets / "publisher.password").read_text()
    with httpx2.Client(auth=("publisher", password)) as publisher:
        answer = publisher.put(f"{url}/config", json={"compatibility": "NONE"})
    assert answer.status_code == httpx2.codes.FORBIDDEN


def test_an_application_reads_all_it_needs(
    stack: RunningStack, subjects: Subjects, subject: str, tmp_path: Path
) -> None:
    text = schema(subject)
    registered = subjects.register(subject, text)
    reader = RegistrySettings(url=stack.settings.registry_url)
    with Subjects.open(reader) as application:
        assert application.find(subject, text) == registered
        assert application.versions(subject) == [registered]
    read = SchemaStore(reader, tmp_path).schema_of(registered.schema_id)
    assert json.loads(read) == json.loads(text)


def test_a_refusal_names_the_role_that_may(stack: RunningStack, subject: str) -> None:
    with (
        Subjects.open(stack.deployment.registry) as application,
        pytest.raises(RegistryRefusedError, match="the one role that may write is its publisher"),
    ):
        application.register(subject, schema(subject))


def test_services_are_not_told_the_password(stack: RunningStack) -> None:
    assert not any(
        "publisher" in value or name.startswith("TAILRACE_REGISTRY_PASSWORD")
        for part in stack.status().values()
        for name, value in part_environment(part.pid).items()
    )


def part_environment(pid: int | None) -> dict[str, str]:
    return dict(psutil.Process(pid).environ())


# --- publishing ---


def test_all_of_the_catalogue_is_published_with_its_rules_and_noted(
    stack: RunningStack, log: PublicationLog
) -> None:
    with Subjects.open(stack.deployment.registry) as registry:
        for name in catalogue().messages:
            held = registry.find(name, canonical(name))
            assert held is not None, name
            assert registry.rule(name) == catalogue().compatibility_of(name)
            noted = [each for each in log.read(name) if each.version == held.version]
            # a registry that was lost and filled anew counts its versions from the beginning
            assert noted[-1].schema_id == held.schema_id
            assert len({each.schema_id for each in noted}) == len(noted)


def test_a_second_publish_does_nothing_and_says_so(
    stack: RunningStack, log: PublicationLog
) -> None:
    before = [log.read(name) for name in catalogue().messages]
    said = stack.cli("schema", "publish").stdout
    held = len(before)
    assert said.endswith(
        f"Nothing to publish: the registry holds all {held} schemas as they are.\n"
    )
    assert {
        row["state"] for row in json.loads(stack.cli("schema", "publish", "--json").stdout)
    } == {"unchanged"}
    assert [log.read(name) for name in catalogue().messages] == before


def test_what_changed_is_registered_and_noted(
    writer: RegistrySettings, log: PublicationLog, subject: str
) -> None:
    first = publishing.publish(writer, log, ADA, [contract(subject)])
    wanted = [contract(subject, "note")]
    with Subjects.open(writer) as subjects:
        planned = plan(subjects, wanted)
    assert [each.state for each in planned] == ["published"]
    second = publishing.publish(writer, log, Publisher("bob", None), wanted)
    assert [each.version for each in first + second] == [1, 2]
    assert all(each.new for each in first + second)
    assert publishing.publish(writer, log, ADA, wanted) == [
        Published(subject, 2, second[0].schema_id, "unchanged")
    ]
    noted = log.read(subject)
    assert [(each.version, each.publisher, each.revision) for each in noted] == [
        (1, "ada", "0123abcd"),
        (2, "bob", None),
    ]
    assert noted[0].published_at <= noted[1].published_at


def test_one_broken_contract_stops_them_all(
    writer: RegistrySettings, log: PublicationLog, subjects: Subjects, subject: str
) -> None:
    publishing.publish(writer, log, ADA, [contract(subject)])
    innocent = contract(f"{subject}2")
    with pytest.raises(BrokenContractError) as refused:
        publishing.publish(writer, log, ADA, [innocent, contract(subject, total="int")])
    (finding,) = refused.value.findings
    assert (finding.subject, finding.rule) == (subject, "field-added-without-default")
    assert str(finding).startswith(f"{subject} /fields/1 total: added without a default")
    assert subjects.versions(innocent.subject) == []
    assert len(subjects.versions(subject)) == 1


def test_a_changed_promise_is_set_without_a_new_version(
    writer: RegistrySettings, log: PublicationLog, subjects: Subjects, subject: str
) -> None:
    publishing.publish(writer, log, ADA, [contract(subject)])
    relaxed = Contract(subject, schema(subject), "BACKWARD")
    (done,) = publishing.publish(writer, log, ADA, [relaxed])
    assert (done.state, done.version, done.new) == ("rule set", 1, False)
    assert subjects.rule(subject) == "BACKWARD"
    assert len(log.read(subject)) == 1


def test_without_the_log_nothing_is_registered(
    writer: RegistrySettings, subjects: Subjects, subject: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schemas.publications.TIMEOUT_S", 1.0)
    with pytest.raises(PublicationLogError, match="cannot be asked"):
        publishing.publish(writer, PublicationLog("127.0.0.1:9"), ADA, [contract(subject)])
    assert subjects.versions(subject) == []


def test_the_registry_holds_the_rule_against_those_who_bypass_the_gate(
    writer: RegistrySettings, log: PublicationLog, subjects: Subjects, subject: str
) -> None:
    publishing.publish(writer, log, ADA, [contract(subject)])
    with pytest.raises(IncompatibleSchemaError, match=subject):
        subjects.register(subject, schema(subject, total="int"))


def test_references_of_others_are_read_as_one_schema(
    writer: RegistrySettings, subjects: Subjects, subject: str
) -> None:
    line = schema(f"{subject}Line")
    subjects.register(f"{subject}Line", line)
    whole = json.loads(schema(subject, line=f"{subject}Line"))
    reference = {"name": f"{subject}Line", "subject": f"{subject}Line", "version": 1}
    with httpx2.Client(auth=("publisher", password_of(writer))) as other:
        answer = other.post(
            f"{writer.url}/subjects/{subject}/versions",
            json={"schema": json.dumps(whole), "references": [reference]},
        )
    assert answer.status_code == httpx2.codes.OK, answer.text
    (registered,) = subjects.versions(subject)
    assert json.loads(registered.text)["fields"][1]["type"] == json.loads(line)


def password_of(settings: RegistrySettings) -> str:
    assert settings.password_file is not None
    return settings.password_file.read_text()


# --- the commands ---


def test_history_tells_who_when_and_from_where(stack: RunningStack) -> None:
    (entry, *_) = json.loads(stack.cli("schema", "history", "orders.OrderCreated", "--json").stdout)
    assert entry["version"] == 1
    assert entry["publisher"]
    assert entry["published_at"]
    assert "not recorded" not in stack.cli("schema", "history", "orders.OrderCreated").stdout


def test_history_of_nothing_is_a_sentence(stack: RunningStack) -> None:
    result = stack.cli("schema", "history", "no.Such", check=False)
    assert result.returncode == 1
    assert result.stderr.startswith("tailrace: The registry holds no version of no.Such")


def test_a_version_registered_behind_our_back_is_shown_as_such(
    stack: RunningStack, subjects: Subjects, subject: str
) -> None:
    subjects.register(subject, schema(subject))
    (entry,) = json.loads(stack.cli("schema", "history", subject, "--json").stdout)
    assert (entry["version"], entry["publisher"]) == (1, None)
    assert "not recorded" in stack.cli("schema", "history", subject).stdout


def test_a_dry_run_needs_no_role_and_changes_nothing(stack: RunningStack) -> None:
    secret = stack.settings.secrets / "publisher.password"
    kept = secret.rename(secret.with_suffix(".kept"))
    try:
        rows = json.loads(stack.cli("schema", "publish", "--dry-run", "--json").stdout)
        refused = stack.cli("schema", "publish", check=False)
    finally:
        kept.rename(secret)
    assert len(rows) == len(catalogue().messages)
    assert refused.returncode == 2
    assert "credentials cannot be read" in refused.stderr


def test_a_registry_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    nobody = RegistrySettings(url="http://127.0.0.1:9", retries=0, timeout_s=1.0)
    with (
        Subjects.open(nobody) as registry,
        pytest.raises(RegistryUnavailableError, match="cannot be asked"),
    ):
        registry.versions("orders.OrderCreated")


# --- do registry and gate agree? ---


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_registry_and_gate_agree(
    change: SchemaChange, writer: RegistrySettings, subjects: Subjects, subject: str
) -> None:
    version: Registered | None = None
    for mode in ("BACKWARD", "FORWARD"):
        subjects.set_rule(subject, mode)
        version = version or subjects.register(subject, json.dumps(change.old))
        passes_registry = accepted(subjects, subject, change.new)
        passes_gate = not judge(Contract(subject, json.dumps(change.new), mode), [version])
        difference = DIFFERENCES.get(change.name)
        if difference and mode in difference.modes:
            assert (passes_registry, passes_gate) == (True, False), difference.reason
        else:
            assert passes_registry == passes_gate, mode


def accepted(subjects: Subjects, subject: str, document: dict[str, Any]) -> bool:
    try:
        return subjects.accepts(subject, json.dumps(document), transitively=False)
    except IncompatibleSchemaError:
        return False


@pytest.mark.parametrize("mode", ["BACKWARD", "BACKWARD_TRANSITIVE"])
def test_they_agree_on_how_far_back_to_look(mode: str, subjects: Subjects, subject: str) -> None:
    """The second version gave a field a default, and the third takes the default away."""
    note = {"name": "note", "type": "string", "default": ""}
    document = json.loads(schema(subject))
    texts = [json.dumps(document)]
    texts.append(json.dumps(document | {"fields": [*document["fields"], note]}))
    required = {"name": "note", "type": "string"}
    texts.append(json.dumps(document | {"fields": [*document["fields"], required]}))
    versions = [subjects.register(subject, text) for text in texts[:2]]
    subjects.set_rule(subject, mode)
    is_transitive = mode == "BACKWARD_TRANSITIVE"
    assert subjects.accepts(subject, texts[2], transitively=is_transitive) is not is_transitive
    assert (judge(Contract(subject, texts[2], mode), versions) == []) is not is_transitive
    if is_transitive:
        with pytest.raises(IncompatibleSchemaError):
            subjects.register(subject, texts[2])
    else:
        assert subjects.register(subject, texts[2]).version == 3
