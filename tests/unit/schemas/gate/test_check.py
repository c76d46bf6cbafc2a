"""The gate on a real repository: what passes, what is refused and in which words."""

from pathlib import Path

import pytest

from schemas.gate.finding import Finding
from tests.unit.schemas.gate.contract_repository import (
    CREATED,
    OPENAPI,
    ORDER_CREATED,
    PROTO,
    READER,
    ContractRepository,
)

OPTIONAL = '{"name": "note", "type": ["null", "string"], "default": null, "doc": "What to mind."}'
REQUIRED = '{"name": "note", "type": "string", "doc": "What to mind."}'
TEXT = '{"name": "note", "type": "string", "default": ""}'
NUMBER = '{"name": "note", "type": "int", "default": 0}'


@pytest.fixture
def repository(tmp_path: Path) -> ContractRepository:
    return ContractRepository.make(tmp_path / "clone")


def only(findings: tuple[Finding, ...]) -> Finding:
    [finding] = findings
    return finding


def test_what_did_not_change_passes(repository: ContractRepository) -> None:
    report = repository.check()
    assert not report.findings
    assert not report.notes
    assert (report.messages, report.protos, report.documents) == (2, 1, 1)
    assert report.commit == repository.git("rev-parse", "main")


def test_an_optional_field_passes(repository: ContractRepository) -> None:
    repository.add_field(OPTIONAL)
    assert repository.refused() == []


def test_a_required_field_is_refused_with_file_and_line(repository: ContractRepository) -> None:
    repository.add_field(REQUIRED)
    finding = only(repository.check().findings)
    assert str(finding) == (
        "orders.OrderCreated /fields/4 note: added without a default; a consumer that reads old events cannot fill "
        "it. Give it a default"
    )
    assert (finding.file, finding.line) == (f"schemas/{ORDER_CREATED}", 11)


@pytest.mark.parametrize(
    ("before", "after", "rule", "problem", "fix"),
    [
        pytest.param(
            '"name": "customer_id"',
            '"name": "buyer_id"',
            "field-renamed",
            "renamed from customer_id to buyer_id",
            "Put customer_id back and add buyer_id beside it with a default",
            id="rename",
        ),
        pytest.param(
            '"customer_id", "type": "string"',
            '"customer_id", "type": "int"',
            "type-changed",
            "changed from string to int",
            "Keep string, or put the int into a new field with a default",
            id="type",
        ),
        pytest.param(
            '    {"name": "customer_id", "type": "string", "doc": "Who ordered."},\n',
            "",
            "field-removed-without-default",
            "removed, though it had no default",
            "Put it back",
            id="drop",
        ),
        pytest.param(
            '["web", "shop"]',
            '["web"]',
            "enum-symbol-removed",
            "symbols removed: shop",
            "Put them back, or give the enum a default symbol",
            id="symbol",
        ),
    ],
)
def test_a_breaking_change_is_refused_by_name_with_the_fix(
    repository: ContractRepository, before: str, after: str, rule: str, problem: str, fix: str
) -> None:
    repository.replace(ORDER_CREATED, before, after)
    finding = only(repository.check().findings)
    assert finding.rule == rule
    assert finding.problem.startswith(problem)
    assert finding.fix.startswith(fix)


def test_a_symbol_cannot_go_behind_a_default(repository: ContractRepository) -> None:
    repository.replace(ORDER_CREATED, '"shop"]', '"shop"], "default": "web"')
    repository.commit()
    repository.replace(ORDER_CREATED, ', "shop"]', "]")
    finding = only(repository.check().findings)
    assert (finding.rule, finding.line) == ("enum-symbol-removed", 9)
    assert finding.path == "/fields/2/type/symbols channel"
    assert finding.problem == (
        "symbols removed: shop; a consumer that reads old events takes them for web, and no error tells"
    )


def test_what_a_message_is_refused_for_is_said_once(repository: ContractRepository) -> None:
    repository.replace(ORDER_CREATED, ',\n    {"name": "total"', ',\n    {"name": "amount"')
    assert only(repository.check().findings).subject == "orders.OrderCreated"


def test_a_change_that_only_a_pinned_reader_cannot_follow_names_the_consumer(
    repository: ContractRepository,
) -> None:
    promise(repository, "BACKWARD")
    repository.replace(
        ORDER_CREATED, ',\n    {"name": "total", "type": "long", "doc": "Sum, in cents."}', ""
    )
    finding = only(repository.check().findings)
    assert finding.subject == "orders.OrderCreated as analytics-worker reads it"
    assert finding.problem.startswith("removed, though it had no default")
    assert finding.file == f"schemas/{ORDER_CREATED}"


def test_a_pinned_reader_must_read_old_events(repository: ContractRepository) -> None:
    repository.add_field(OPTIONAL)
    repository.add_field(OPTIONAL.replace(', "default": null', ""), READER)
    finding = only(repository.check().findings)
    assert finding.subject == "orders.OrderCreated as analytics-worker reads it"
    assert (finding.rule, finding.file) == ("field-added-without-default", f"schemas/{READER}")


def test_a_pinned_reader_of_what_the_consumer_does_not_handle_is_refused(
    repository: ContractRepository,
) -> None:
    repository.write("readers/payments-worker/orders.OrderCancelled.avsc", CREATED)
    assert only(repository.check().findings).rule == "reader-without-use"


def test_every_schema_of_the_main_line_counts(repository: ContractRepository) -> None:
    repository.add_field(TEXT)
    first = repository.commit()
    repository.write(ORDER_CREATED, CREATED)
    repository.commit()
    repository.add_field(NUMBER)
    finding = only(repository.check().findings)
    assert finding.problem.endswith(f"({first[:7]})")


def test_without_transitivity_the_latest_schema_counts(repository: ContractRepository) -> None:
    promise(repository, "FULL")
    repository.add_field(TEXT)
    repository.commit()
    repository.write(ORDER_CREATED, CREATED)
    repository.commit()
    repository.add_field(NUMBER)
    assert repository.refused() == []


def test_what_was_tried_on_a_merged_branch_does_not_count(repository: ContractRepository) -> None:
    repository.git("switch", "--quiet", "--create", "try")
    repository.add_field(TEXT)
    repository.commit()
    repository.write(ORDER_CREATED, CREATED)
    repository.add_field(NUMBER)
    repository.commit()
    repository.git("switch", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "try")
    repository.replace(ORDER_CREATED, '"doc": "Who ordered."', '"doc": "Who it was that ordered."')
    assert repository.refused() == []


def test_a_loosened_promise_holds_at_once_and_is_told(repository: ContractRepository) -> None:
    promise(repository, "BACKWARD")
    repository.replace(
        ORDER_CREATED, '    {"name": "customer_id", "type": "string", "doc": "Who ordered."},\n', ""
    )
    report = repository.check()
    assert report.compatible
    assert report.notes == (
        "orders.OrderCreated promised FULL_TRANSITIVE and now promises BACKWARD.",
    )


def test_a_break_that_was_agreed_on_does_not_stop_later_changes(
    repository: ContractRepository,
) -> None:
    promise(repository, "NONE")
    repository.add_field(REQUIRED)
    repository.commit()
    repository.write("catalogue.toml", (repository.schemas / "catalogue.toml").read_text())
    assert repository.refused() == []


def test_a_message_cannot_just_go(repository: ContractRepository) -> None:
    remove_cancelled(repository)
    [line] = repository.refused()
    assert line.startswith(
        "orders.OrderCancelled /: the message was removed; order.events keeps its events for 168 h, and they are "
        "handled by analytics-worker. Bring it back; withdraw its promise"
    )


def test_a_message_whose_promise_was_withdrawn_may_go(repository: ContractRepository) -> None:
    promise(repository, "NONE", "orders.OrderCancelled")
    repository.commit()
    catalogue = (repository.schemas / "catalogue.toml").read_text()
    repository.write("catalogue.toml", catalogue.partition("[messages")[0])
    remove_cancelled(repository)
    assert repository.refused() == []


def test_a_schema_of_no_topic_is_refused(repository: ContractRepository) -> None:
    repository.write("avro/orders/OrderEaten.avsc", CREATED.replace("OrderCreated", "OrderEaten"))
    finding = only(repository.check().findings)
    assert (finding.subject, finding.rule) == ("orders.OrderEaten", "message-not-catalogued")


def test_a_message_without_a_schema_is_refused(repository: ContractRepository) -> None:
    repository.replace("catalogue.toml", 'messages = ["', 'messages = ["orders.OrderEaten", "')
    finding = only(repository.check().findings)
    assert (finding.subject, finding.rule) == ("orders.OrderEaten", "schema-missing")
    assert (finding.file, finding.line) == ("schemas/catalogue.toml", 6)


def test_a_schema_called_otherwise_than_its_file_is_refused(
    repository: ContractRepository,
) -> None:
    repository.replace("avro/orders/OrderCancelled.avsc", '"OrderCancelled"', '"OrderDropped"')
    assert "name-not-of-file" in {each.rule for each in repository.check().findings}


@pytest.mark.parametrize(
    ("before", "after", "line", "problem"),
    [
        ('"doc": "Who ordered."},', '"doc": "Who ordered."', 9, "not JSON: Expecting ',' delim"),
        ('"type": "long"', '"type": "money"', 10, "there is no type money"),
        ('"doc": "Who ordered."', '"name": "x"', 8, "the key name is there twice"),
        ("Who ordered", "Who \udcff", 8, "the file is not UTF-8"),
    ],
)
def test_a_malformed_schema_is_named_with_its_line(
    repository: ContractRepository, before: str, after: str, line: int, problem: str
) -> None:
    file = repository.schemas / ORDER_CREATED
    text = file.read_text().replace(before, after)
    file.write_bytes(text.encode(errors="surrogateescape"))
    finding = only(repository.check().findings)
    assert finding.rule == "schema-malformed"
    assert finding.problem.startswith(problem)
    assert (finding.file, finding.line) == (f"schemas/{ORDER_CREATED}", line)


def test_a_malformed_catalogue_is_named_with_its_line(repository: ContractRepository) -> None:
    repository.replace("catalogue.toml", "partitions = 6", "partitions = ")
    finding = only(repository.check().findings)
    assert (finding.rule, finding.line) == ("catalogue-malformed", 4)


def test_a_malformed_schema_of_the_past_is_left_out_and_told(
    repository: ContractRepository,
) -> None:
    repository.write(ORDER_CREATED, "{")
    commit = repository.commit()
    repository.write(ORDER_CREATED, CREATED)
    report = repository.check()
    assert report.compatible
    assert report.notes == (f"orders.OrderCreated of {commit[:7]} is malformed and was left out.",)


def test_a_type_in_a_file_of_its_own_counts_where_it_is_used(
    repository: ContractRepository,
) -> None:
    money = '{"type": "record", "name": "Money", "namespace": "shop", "fields": [{"name": "cents", "type": "long"}]}'
    repository.write("avro/shop/Money.avsc", money)
    repository.add_field('{"name": "tax", "type": ["null", "shop.Money"], "default": null}')
    assert repository.refused() == []
    repository.commit()
    repository.write("avro/shop/Money.avsc", money.replace('"long"', '"string"'))
    finding = only(repository.check().findings)
    assert (finding.subject, finding.rule) == ("orders.OrderCreated", "type-changed")
    assert finding.path.endswith("tax.cents")
    assert finding.line == 11


def test_a_proto_is_judged(repository: ContractRepository) -> None:
    repository.replace(PROTO, "string name = 2", "string name = 3")
    findings = repository.check().findings
    assert {each.subject for each in findings} == {"shop.users.v1"}
    assert {each.file for each in findings} == {f"schemas/{PROTO}"}


def test_an_openapi_document_is_judged(repository: ContractRepository) -> None:
    repository.replace(OPENAPI, '"customer_id": {', '"note": {"type": "string"}, "customer_id": {')
    assert repository.refused() == []
    repository.replace(OPENAPI, '"required": [\n', '"required": ["note",\n')
    finding = only(repository.check().findings)
    assert str(finding).startswith("storefront POST /v1/orders")
    assert (finding.file, finding.line) == (f"schemas/{OPENAPI}", 8)


def test_an_openapi_document_cannot_just_go(repository: ContractRepository) -> None:
    (repository.schemas / OPENAPI).unlink()
    assert only(repository.check().findings).rule == "operation-removed"


def test_a_malformed_openapi_document_is_named_with_its_line(
    repository: ContractRepository,
) -> None:
    repository.replace(OPENAPI, '"openapi": "3.1.0",', '"openapi": "3.1.0"')
    finding = only(repository.check().findings)
    assert (finding.rule, finding.line) == ("document-malformed", 3)


def promise(
    repository: ContractRepository, mode: str, message: str = "orders.OrderCreated"
) -> None:
    text = (repository.schemas / "catalogue.toml").read_text()
    table = f'\n[messages."{message}"]\ncompatibility = "{mode}"\n'
    repository.write("catalogue.toml", text + table)


def remove_cancelled(repository: ContractRepository) -> None:
    (repository.schemas / "avro/orders/OrderCancelled.avsc").unlink()
    text = (repository.schemas / "catalogue.toml").read_text()
    repository.write("catalogue.toml", text.replace(', "orders.OrderCancelled"', ""))
