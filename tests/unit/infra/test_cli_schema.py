"""`tailrace schema` as it is typed: what it prints, in which form, and how it ends."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cdc import topic_reader
from infra.cli import main
from infra.cli.schema import COMMANDS
from infra.data_check import TreeCodec
from infra.settings import REPOSITORY
from schemas.codec import Codec
from schemas.contracts import canonical, fingerprint
from schemas.datum import UndecodableError
from schemas.gate import report, tree
from schemas.gate.check import Report
from schemas.gate.finding import Finding
from schemas.messages.canary import CanaryEmitted
from schemas.registry import SchemaStore
from tests.unit.schemas.gate.contract_repository import (
    ORDER_CREATED,
    READER,
    ContractRepository,
)

REQUIRED = '{"name": "note", "type": "string", "doc": "What to mind."}'
OPTIONAL = '{"name": "note", "type": ["null", "string"], "default": null, "doc": "What to mind."}'
NOBODY_LISTENS = 9


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def repository(tmp_path: Path) -> ContractRepository:
    return ContractRepository.make(tmp_path / "clone")


@pytest.fixture
def schema(
    repository: ContractRepository,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run a command on the repository; an error is printed as the interpreter would."""

    def run(command: str, *arguments: str) -> Ended:
        directory = ("--schemas", str(repository.schemas))
        monkeypatch.setattr(sys, "argv", ["tailrace", "schema", command, *directory, *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        code = ended.value.code
        if isinstance(code, str):
            return Ended(1, captured.out, captured.err + code)
        return Ended(code or 0, captured.out, captured.err)

    return run


def test_what_breaks_nobody_ends_with_0(repository: ContractRepository, schema: Run) -> None:
    repository.add_field(OPTIONAL)
    ended = schema("check")
    commit = repository.git("rev-parse", "--short=7", "main")
    assert ended.code == 0
    assert ended.out.startswith(
        f"2 Avro messages, 1 proto file, 1 OpenAPI document checked against git:main ({commit}) in "
    )
    assert ended.out.endswith(" s: compatible\n")


def test_what_breaks_somebody_ends_with_1(repository: ContractRepository, schema: Run) -> None:
    repository.add_field(REQUIRED)
    ended = schema("check")
    finding, summary = ended.out.splitlines()
    assert ended.code == 1
    assert finding.startswith("orders.OrderCreated /fields/4 note: added without a default")
    assert summary.endswith(" s: 1 finding")


def test_json_has_the_findings_and_what_was_compared(
    repository: ContractRepository, schema: Run
) -> None:
    repository.add_field(REQUIRED)
    ended = schema("check", "--json")
    content = json.loads(ended.out)
    assert ended.code == 1
    assert content["compatible"] is False
    assert content["against"] == "git:main"
    assert content["commit"] == repository.git("rev-parse", "main")
    assert content["checked"] == {"avro": 2, "proto": 1, "openapi": 1}
    [finding] = content["findings"]
    assert finding["rule"] == "field-added-without-default"
    assert finding["file"] == f"schemas/{ORDER_CREATED}"
    assert finding.keys() == {"subject", "path", "rule", "problem", "fix", "file", "line"}


def test_github_shows_findings_at_their_lines(repository: ContractRepository, schema: Run) -> None:
    repository.add_field(REQUIRED)
    line = schema("check", "--format", "github").out.splitlines()[0]
    assert line == (
        f"::error file=schemas/{ORDER_CREATED},line=11,title=orders.OrderCreated /fields/4 note::added without a "
        "default; a consumer that reads old events cannot fill it. Give it a default"
    )


def test_github_takes_no_command_from_a_finding() -> None:
    finding = Finding(
        subject="a:b,c", path="/x%", rule="r", problem="two\nlines: 5 %, see", fix="Mend", file="f"
    )
    made = Report(
        against="git:main",
        commit=None,
        messages=1,
        protos=0,
        documents=0,
        seconds=0.0,
        findings=(finding,),
        notes=("a\r\nb",),
    )
    assert list(report.as_github(made))[:2] == [
        "::error file=f,title=a%3Ab%2Cc /x%25::two%0Alines: 5 %25, see. Mend",
        "::warning::a%0D%0Ab",
    ]


@pytest.mark.parametrize("against", ["main", "git:", "svn:main", ""])
def test_what_cannot_be_compared_with_is_wrong_usage(schema: Run, against: str) -> None:
    ended = schema("check", "--against", against)
    assert ended.code == 2
    assert "is neither `registry` nor `git:` with a branch" in ended.err


@pytest.mark.parametrize("command", ["check", "diff", "impact"])
def test_an_unknown_revision_is_no_finding(schema: Run, command: str) -> None:
    ended = schema(command, "--against", "git:nowhere")
    assert ended.code == 2
    assert ended.err.startswith("tailrace: the repository has no revision nowhere: run `git fetch ")


def test_outside_a_repository_there_is_no_finding(
    repository: ContractRepository, schema: Run
) -> None:
    shutil.rmtree(repository.root / ".git")
    ended = schema("check")
    assert ended.code == 2
    assert "is in no git repository" in ended.err


def test_a_registry_that_is_not_there_is_no_finding(
    schema: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"http://127.0.0.1:{NOBODY_LISTENS}/apis/ccompat/v7"
    monkeypatch.setenv("TAILRACE_REGISTRY_URL", url)
    monkeypatch.setenv("TAILRACE_REGISTRY_RETRIES", "0")
    ended = schema("check", "--against", "registry")
    assert ended.code == 2
    assert ended.err.startswith(f"tailrace: the schema registry at {url} cannot be asked")


def test_data_cannot_be_read_without_kafka(schema: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_reader, "TIMEOUT_S", 0.3)
    monkeypatch.setattr("cdc.kafka.PATIENCE_S", 1.0)
    monkeypatch.setenv("TAILRACE_KAFKA_PORT", str(NOBODY_LISTENS))
    ended = schema("check", "--data", "5")
    assert ended.code == 2
    assert ended.err.startswith(f"tailrace: Kafka at 127.0.0.1:{NOBODY_LISTENS} cannot be asked")


def test_real_bytes_are_read_with_the_schema_of_the_tree(tmp_path: Path) -> None:
    store = SchemaStore(f"http://127.0.0.1:{NOBODY_LISTENS}", tmp_path)
    cache = store.directory
    cache.mkdir(parents=True)
    name, text = "canary.CanaryEmitted", canonical("canary.CanaryEmitted")
    (cache / f"{fingerprint(text)}.id").write_text("1")
    (cache / "1.avsc").write_text(text)
    [field, *_] = json.loads(text)["fields"]
    message = CanaryEmitted.from_avro(
        {
            "canary_id": "018f6d0e-0000-7000-8000-000000000000",
            "emitted_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
    )
    data = Codec(store, [CanaryEmitted]).encode(message)
    files = tree.read(tree.contracts_directory())
    read, datum = TreeCodec(store, files, (name,)).decode_datum(data)
    assert (read, set(datum)) == (name, {"canary_id", "emitted_at"})
    path = tree.path_of(name)
    broken = files | {path: files[path].replace(f'"{field["name"]}"', '"other_id"')}
    with pytest.raises(UndecodableError, match="other_id"):
        TreeCodec(store, broken, (name,)).decode_datum(data)
    with pytest.raises(UndecodableError, match="in no catalogue"):
        TreeCodec(store, files, ()).decode_datum(data)


def test_diff_tells_what_changed_field_by_field(
    repository: ContractRepository, schema: Run
) -> None:
    repository.add_field(OPTIONAL)
    repository.replace(ORDER_CREATED, '"type": "long", "doc": "Sum', '"type": "int", "doc": "All')
    repository.replace(ORDER_CREATED, '"customer_id", ', '"buyer", "aliases": ["customer_id"], ')
    repository.replace(ORDER_CREATED, '["web", "shop"]', '["web", "app"]')
    assert schema("diff").out.splitlines() == [
        "~ orders.OrderCreated  changed",
        "  ~ buyer  was customer_id",
        "      aliases: (none) -> customer_id",
        "  ~ channel",
        "      symbols of Channel: web, shop -> web, app",
        "  ~ total",
        "      type: long -> int",
        "      doc: Sum, in cents. -> All, in cents.",
        "  + note",
        "      type: null or string",
        "      default: null",
        "      doc: What to mind.",
    ]
    [change] = json.loads(schema("diff", "orders.OrderCreated", "--json").out)
    assert change["subject"] == "orders.OrderCreated"
    assert change["fields"][-1]["kind"] == "added"


def test_diff_of_nothing_says_so(schema: Run) -> None:
    assert schema("diff").out.startswith("No event changed against git:main (")


def test_diff_shows_messages_that_came_and_went(
    repository: ContractRepository, schema: Run
) -> None:
    old = repository.schemas / "avro/orders/OrderCancelled.avsc"
    text = old.read_text().replace("OrderCancelled", "OrderEaten")
    old.unlink()
    repository.write("avro/orders/OrderEaten.avsc", text)
    assert schema("diff").out.splitlines() == [
        "- orders.OrderCancelled  removed",
        "+ orders.OrderEaten  added",
    ]


def test_impact_tells_who_reads_what_changed(repository: ContractRepository, schema: Run) -> None:
    repository.add_field(OPTIONAL)
    repository.replace(ORDER_CREATED, '"type": "long"', '"type": "string"')
    broken = "changed from long to string; a consumer that still has the old schema cannot take string for long"
    assert schema("impact").out.splitlines() == [
        "~ orders.OrderCreated total  order.events",
        f"    payments-worker   reads it: {broken}",
        f"    analytics-worker  reads it: {broken}",
        "+ orders.OrderCreated note  order.events",
        "    payments-worker   passes it over until it is deployed with the new schema",
        "    analytics-worker  pins a schema without it, and passes it over until it is added there",
    ]
    changes = json.loads(schema("impact", "--json").out)
    effects = {each["consumer"]: each for each in changes[0]["effects"]}
    assert effects["analytics-worker"]["pins"] is effects["analytics-worker"]["breaks"] is True


def test_impact_of_a_field_that_goes(repository: ContractRepository, schema: Run) -> None:
    repository.add_field('{"name": "note", "type": "string", "default": "none"}')
    repository.commit()
    repository.replace(
        ORDER_CREATED, ',\n    {"name": "note", "type": "string", "default": "none"}', ""
    )
    assert schema("impact").out.splitlines() == [
        "- orders.OrderCreated note  order.events",
        '    payments-worker   reads it: gets the default "none" from now on',
        "    analytics-worker  pins a schema without it, and notices nothing",
    ]


@pytest.mark.parametrize(
    ("before", "after", "meaning"),
    [
        (
            '"default": false',
            '"default": true',
            "reads true instead of false in events that lack it",
        ),
        ('["gift"]', "[]", "finds nothing in events that call it gift"),
        (
            '"default": "no"',
            '"default": "yes"',
            "reads yes instead of no for symbols of Wish that it does not know",
        ),
    ],
)
def test_impact_of_what_older_events_come_to_say(
    repository: ContractRepository, schema: Run, before: str, after: str, meaning: str
) -> None:
    wish = '{"type": "enum", "name": "Wish", "symbols": ["no", "yes"], "default": "no"}'
    repository.add_field(
        '{"name": "wrapped", "type": "boolean", "default": false, "aliases": ["gift"]}'
    )
    repository.add_field(f'{{"name": "wish", "type": ["null", {wish}], "default": null}}')
    repository.commit()
    repository.replace(ORDER_CREATED, before, after)
    assert schema("impact").out.splitlines()[1:] == [
        f"    payments-worker   reads it: {meaning}, once it is deployed with the new schema",
        "    analytics-worker  pins a schema without it, and notices nothing",
    ]


def test_show_prints_the_schema_of_the_tree_or_of_a_revision(
    repository: ContractRepository, schema: Run
) -> None:
    repository.add_field(OPTIONAL)
    now = schema("show", "orders.OrderCreated").out
    before = schema("show", "orders.OrderCreated", "--against", "git:main").out
    assert '"note"' in now
    assert '"note"' not in before
    assert json.loads(before)["name"] == "OrderCreated"
    shown = json.loads(schema("show", "orders.OrderCreated", "--json").out)
    assert shown["schema"] == json.loads(now)


def test_an_unknown_subject_is_wrong_usage(schema: Run) -> None:
    for command in ("show", "diff"):
        ended = schema(command, "orders.OrderEaten")
        assert ended.code == 2
        assert "there is no orders.OrderEaten" in ended.err


def test_list_shows_what_changed(repository: ContractRepository, schema: Run) -> None:
    repository.add_field(OPTIONAL)
    rows = json.loads(schema("list", "--json").out)
    assert rows[0] == {
        "message": "orders.OrderCreated",
        "topic": "order.events",
        "owner": "orders",
        "compatibility": "FULL_TRANSITIVE",
        "change": "changed",
    }
    assert rows[1]["change"] == "unchanged"
    assert "orders.OrderCancelled" in schema("list").out


def test_list_works_without_a_branch_to_compare_with(
    repository: ContractRepository, schema: Run
) -> None:
    repository.git("branch", "--move", "trunk")
    ended = schema("list", "--json")
    assert json.loads(ended.out)[0]["change"] is None
    assert ended.err.startswith("Whether they changed is unknown: the repository has no revision")


@pytest.mark.parametrize("command", ["list", "show", "check", "diff", "impact"])
def test_every_command_shows_examples(schema: Run, command: str) -> None:
    out = schema(command, "--help").out
    assert f"Examples:\n    tailrace schema {command}" in out


def test_the_group_lists_its_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tailrace", "schema", "--help"])
    with pytest.raises(SystemExit):
        main()
    out = capsys.readouterr().out
    assert all(f"\n  {name} " in out for name in COMMANDS)


def test_the_gate_works_from_any_directory(repository: ContractRepository) -> None:
    repository.add_field(REQUIRED)
    done = subprocess.run(
        [sys.executable, "-m", "infra.cli", "schema", "check", "--schemas", ".."],
        cwd=repository.schemas / "avro",
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stdout.startswith("orders.OrderCreated /fields/4 note: added without a default")


def test_a_reader_that_breaks_is_named(repository: ContractRepository, schema: Run) -> None:
    repository.replace(READER, '"type": "long"', '"type": "int"')
    assert "orders.OrderCreated as analytics-worker reads it" in schema("check").out
