"""Malformed contracts of every kind: one sentence with file and line, and the findings about the others still come."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.gate import tree
from schemas.gate.finding import Finding
from schemas.gate.json_text import JsonError, parse_json
from tests.unit.schemas.gate.contract_repository import (
    CATALOGUE,
    OPENAPI,
    ORDER_CREATED,
    PROTO,
    READER,
    STOREFRONT,
    USERS,
    ContractRepository,
)

CANCELLED = "avro/orders/OrderCancelled.avsc"
POST = ("paths", "/v1/orders", "post")
BODY = (*POST, "requestBody", "content", "application/json", "schema")


@pytest.fixture
def repository(tmp_path: Path) -> ContractRepository:
    return ContractRepository.make(tmp_path / "clone")


def _bytes(repository: ContractRepository, path: str, data: bytes) -> None:
    (repository.schemas / path).write_bytes(data)


def _break_another(repository: ContractRepository) -> None:
    """Break a message that has nothing to do with the malformed file."""
    repository.replace(
        CANCELLED, '"string"}]', '"string"}, {"name": "must", "type": "int", "doc": "x"}]'
    )


def _document(at: tuple[str, ...], value: Any) -> str:
    made = json.loads(json.dumps(STOREFRONT))
    node = made
    for step in at[:-1]:
        node = node[step]
    node[at[-1]] = value
    return json.dumps(made, indent=2)


TEXTS: dict[str, tuple[bytes, str, int]] = {
    "empty": (b"", "the file is empty", 1),
    "byte order mark": (b"\xef\xbb\xbf{}", "starts with a byte order mark", 1),
    "Latin-1": (b'{\n"doc": "\xe9"}', "the file is not UTF-8", 2),
    "NaN": (b'{\n"default": NaN}', "NaN is no number", 2),
    "infinite": (b'{\n"a": 1,\n"default": 1e999}', "1e999 is no number", 3),
    "endless number": (b'{"a":\n' + b"9" * 5000 + b"}", "is no number", 2),
    "key twice": (b'{"a": 1,\n"\\u0061": 2}', "the key a is there twice", 2),
    "half a character": (b'{"a": 1,\n"doc": "\\ud800"}', "half a character", 2),
    "nested": (b"[\n" * 1500 + b"]" * 1500, "nested deeper than 1000 levels", 1001),
    "cut off": (b'{"a": [', "not JSON", 1),
    "NUL": (b"\0", "not JSON", 1),
}
PARTS: dict[str, tuple[tuple[str, ...], Any, str]] = {
    "no such type": ((*BODY, "properties", "customer_id", "type"), "strng", '"strng" stands where'),
    "schema null": (BODY, None, "null stands where an object is expected"),
    "paths null": (("paths",), None, "null stands where an object is expected"),
    "paths a list": (("paths",), [], "a list stands where an object is expected"),
    "parameter without in": ((*POST, "parameters"), [{"name": "x"}], 'has no "in"'),
    "parameter elsewhere": ((*POST, "parameters"), [{"name": "x", "in": "body"}], '"body" stands'),
    "operation null": (POST, None, "null stands where an object is expected"),
    "responses a list": ((*POST, "responses"), [], "a list stands where an object is expected"),
    "limit a text": ((*BODY, "maxProperties"), "9", '"9" stands where a whole number'),
    "step of zero": ((*BODY, "multipleOf"), 0, "0 stands where a number above 0"),
    "reference to another part": ((*POST, "parameters"), [{"$ref": "#/paths"}], "is no parameter"),
    "security a text": ((*POST, "security"), ["key"], '"key" stands where'),
    "allOf an object": ((*BODY, "allOf"), {}, "an object stands where a list is expected"),
}
TOPICS: dict[str, tuple[str, str]] = {
    "no topics": ("", "it has no topics"),
    "topics a text": ('topics = "x"', "it has no topics"),
    "not TOML": (CATALOGUE.replace("= 6", "="), "Invalid value"),
    "partitions a text": (CATALOGUE.replace("= 6", '= "6"'), "partitions is not a whole number"),
    "messages a number": (
        CATALOGUE.replace('messages = ["orders.OrderCreated", "orders.OrderCancelled"]', "messages = 1"),
        "messages is not a list of names",
    ),
    "consumers a text": (
        CATALOGUE.replace('payments-worker = ["orders.OrderCreated"]', 'payments-worker = "x"'),
        "consumers is not a table",
    ),
    "unknown key": (CATALOGUE.replace("owner", "owned"), "takes no owned"),
}  # fmt: skip


@pytest.mark.parametrize("path", [ORDER_CREATED, READER, OPENAPI])
@pytest.mark.parametrize("name", TEXTS)
def test_a_file_that_is_no_json_is_one_finding_beside_the_others(
    repository: ContractRepository, path: str, name: str
) -> None:
    data, problem, line = TEXTS[name]
    _bytes(repository, path, data)
    _break_another(repository)
    other, found = sorted(repository.check().findings, key=lambda each: "malformed" in each.rule)
    assert other.subject == "orders.OrderCancelled"
    assert problem in found.problem
    assert (found.file, found.line) == (f"schemas/{path}", line)


@pytest.mark.parametrize("path", [ORDER_CREATED, READER, OPENAPI])
@pytest.mark.parametrize("name", TEXTS)
def test_mending_a_file_that_was_no_json_passes(
    repository: ContractRepository, path: str, name: str
) -> None:
    was = (repository.schemas / path).read_bytes()
    _bytes(repository, path, TEXTS[name][0])
    repository.commit()
    _bytes(repository, path, was)
    report = repository.check()
    assert report.compatible
    assert path == READER or "left out" in report.notes[0]


@pytest.mark.parametrize("name", PARTS)
def test_a_malformed_part_of_a_document_is_one_finding_beside_the_others(
    repository: ContractRepository, name: str
) -> None:
    at, value, problem = PARTS[name]
    other = {"get": {"parameters": [{"name": "q", "in": "query"}], "responses": {}}}
    made = json.loads((repository.schemas / OPENAPI).read_text())
    made["paths"]["/v1/other"] = other
    repository.write(OPENAPI, json.dumps(made, indent=2))
    repository.commit()
    changed = json.loads(_document(at, value))
    if isinstance(changed["paths"], dict):
        changed["paths"]["/v1/other"] = {"get": {"responses": {}}}
    repository.write(OPENAPI, json.dumps(changed, indent=2))
    malformed, *others = repository.check().findings
    assert problem in malformed.problem
    assert malformed.rule == "document-malformed"
    assert malformed.file == f"schemas/{OPENAPI}"
    lines = (repository.schemas / OPENAPI).read_text().splitlines()
    assert malformed.line is not None
    assert malformed.line > 1
    assert at[-1] in " ".join(lines[malformed.line - 4 : malformed.line])
    rules = [each.rule for each in others]
    assert rules == ([] if at == ("paths",) else ["request-parameter-removed"])


@pytest.mark.parametrize("name", PARTS)
def test_mending_a_malformed_part_of_a_document_passes(
    repository: ContractRepository, name: str
) -> None:
    at, value, problem = PARTS[name]
    repository.write(OPENAPI, _document(at, value))
    repository.commit()
    repository.write(OPENAPI, json.dumps(STOREFRONT, indent=2))
    report = repository.check()
    assert report.compatible
    assert problem in " ".join(report.notes)


def test_a_reference_to_nowhere_of_the_past_is_no_measure(repository: ContractRepository) -> None:
    repository.write(OPENAPI, _document(BODY, {"$ref": "#/components/schemas/Gone"}))
    repository.commit()
    repository.write(OPENAPI, json.dumps(STOREFRONT, indent=2))
    assert repository.refused() == []


@pytest.mark.parametrize("name", TOPICS)
def test_a_malformed_catalogue_hides_no_other_finding(
    repository: ContractRepository, name: str
) -> None:
    text, problem = TOPICS[name]
    repository.write("catalogue.toml", text)
    _break_another(repository)
    found, other = repository.check().findings
    assert (found.rule, found.file) == ("catalogue-malformed", "schemas/catalogue.toml")
    assert problem in found.problem
    assert other.subject == "orders.OrderCancelled"


@pytest.mark.parametrize("name", TOPICS)
def test_mending_a_malformed_catalogue_passes(repository: ContractRepository, name: str) -> None:
    repository.write("catalogue.toml", TOPICS[name][0])
    repository.commit()
    repository.write("catalogue.toml", CATALOGUE)
    assert repository.refused() == []


def test_a_proto_that_is_not_utf_8_is_compared_all_the_same(
    repository: ContractRepository,
) -> None:
    text = USERS.replace("name = 2;", "name = 3; // \N{LATIN SMALL LETTER E WITH ACUTE}")
    _bytes(repository, PROTO, text.encode("latin-1"))
    first, *others = repository.check().findings
    assert str(first).startswith(
        "protos /shop/users/v1/users.proto: does not compile: the file is not"
    )
    assert (first.file, first.line) == (f"schemas/{PROTO}", 7)
    assert {each.rule for each in others} == {
        "field-no-delete-unless-name-reserved",
        "field-no-delete-unless-number-reserved",
    }
    repository.commit()
    repository.write(PROTO, text)
    report = repository.check()
    assert report.compatible
    assert "shop/users/v1/users.proto was left out" in report.notes[0]


def test_a_proto_that_does_not_compile_hides_no_other(repository: ContractRepository) -> None:
    other = "proto/shop/items/v1/items.proto"
    item = 'syntax = "proto3";\npackage shop.items.v1;\nmessage Item { string name = 1; }\n'
    user = item.replace("package", 'import "shop/users/v1/users.proto";\npackage')
    repository.write(other, item)
    repository.write("proto/shop/cart/v1/cart.proto", user.replace("items", "cart"))
    repository.commit()
    repository.write(other, item.replace("string", "bytes"))
    repository.replace(PROTO, "message User {", "message {")
    rules = [(each.rule, each.file) for each in repository.check().findings]
    assert ("field-same-type", f"schemas/{other}") in rules
    assert ("proto-does-not-compile", f"schemas/{PROTO}") in rules
    repository.commit()
    repository.replace(PROTO, "message {", "message User {")
    assert repository.check().compatible


def _directory(file: Path) -> None:
    file.mkdir()


def _dangling(file: Path) -> None:
    file.symlink_to("nowhere")


def _circle(file: Path) -> None:
    file.symlink_to(file.name)


@pytest.mark.parametrize("make", [_directory, _dangling, _circle, os.mkfifo])
@pytest.mark.parametrize("path", ["catalogue.toml", ORDER_CREATED, READER, PROTO, OPENAPI])
def test_what_is_no_file_is_one_finding_beside_the_others(
    repository: ContractRepository, path: str, make: Callable[[Path], None]
) -> None:
    (repository.schemas / path).unlink()
    make(repository.schemas / path)
    _break_another(repository)
    findings = repository.check().findings
    malformed = [each for each in findings if each.file == f"schemas/{path}"]
    assert len(malformed) == 1
    assert "it is a " in malformed[0].problem or "no regular file" in malformed[0].problem
    assert [each.subject for each in findings if each not in malformed] == ["orders.OrderCancelled"]


def test_a_schema_that_refers_to_itself_is_a_finding(repository: ContractRepository) -> None:
    repository.write(ORDER_CREATED, '"orders.OrderCreated"')
    (finding,) = _rules(repository, "schema-malformed")
    assert "there is no type orders.OrderCreated" in finding.problem


def test_nested_contracts_are_compared_to_the_bottom(repository: ContractRepository) -> None:
    def nested(kind: str) -> Any:
        found: dict[str, Any] = {"type": kind}
        for _ in range(400):
            found = {"type": "object", "properties": {"a": found}}
        return found

    repository.write(OPENAPI, _document(BODY, nested("integer")))
    repository.commit()
    repository.write(OPENAPI, _document(BODY, nested("boolean")))
    (finding,) = repository.check().findings
    assert finding.rule == "request-type-narrowed"
    assert finding.path.count("/a") == 400


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_refused_as_json_has_a_line(name: str) -> None:
    data, problem, line = TEXTS[name]
    with pytest.raises(JsonError, match=problem) as caught:
        parse_json(data.decode(errors="surrogateescape"))
    assert caught.value.line == line


def test_whole_characters_in_escapes_are_fine() -> None:
    assert parse_json('{"a": "\\ud83d\\ude00", "b": 1e5, "c": -3}')["a"] == "\N{GRINNING FACE}"


def test_a_file_that_may_not_be_read_is_told(
    repository: ContractRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: Path, *_: Any, **__: Any) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refused)
    assert tree.read(repository.schemas)[PROTO] == "it cannot be read: Permission denied"


def _rules(repository: ContractRepository, rule: str) -> list[Finding]:
    return [each for each in repository.check().findings if each.rule == rule]
