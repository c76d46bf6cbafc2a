"""What `schema check --sarif` writes: a log that SARIF 2.1.0 allows and code scanning takes."""

import json
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from infra.cli import main
from tests.unit.schemas.gate.contract_repository import (
    ORDER_CREATED,
    PROTO,
    ContractRepository,
)

TEXT = {
    "type": "object",
    "required": ["text"],
    "properties": {"text": {"type": "string", "minLength": 1}},
}
LEVEL = {"enum": ["none", "note", "warning", "error"]}
LOCATION = {
    "type": "object",
    "required": ["physicalLocation"],
    "properties": {
        "physicalLocation": {
            "type": "object",
            "required": ["artifactLocation", "region"],
            "properties": {
                "artifactLocation": {
                    "type": "object",
                    "required": ["uri"],
                    "properties": {
                        "uri": {"type": "string", "pattern": "^[^/\\\\ ][^\\\\ ]*$"},
                        "uriBaseId": {"const": "%SRCROOT%"},
                    },
                },
                "region": {
                    "type": "object",
                    "required": ["startLine"],
                    "properties": {"startLine": {"type": "integer", "minimum": 1}},
                },
            },
        },
        "logicalLocations": {"type": "array", "items": {"required": ["fullyQualifiedName"]}},
    },
}
RESULT = {
    "type": "object",
    "required": ["ruleId", "message", "locations", "partialFingerprints"],
    "properties": {
        "ruleId": {"type": "string"},
        "ruleIndex": {"type": "integer", "minimum": 0},
        "level": LEVEL,
        "message": TEXT,
        "locations": {"type": "array", "minItems": 1, "items": LOCATION},
        "partialFingerprints": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}
RULE = {
    "type": "object",
    "required": ["id", "shortDescription"],
    "properties": {"id": {"type": "string"}, "shortDescription": TEXT},
}
DRIVER = {
    "type": "object",
    "required": ["name", "rules"],
    "properties": {
        "name": {"const": "tailrace"},
        "rules": {"type": "array", "uniqueItems": True, "items": RULE},
    },
}
INVOCATION = {
    "type": "object",
    "required": ["executionSuccessful"],
    "properties": {
        "executionSuccessful": {"type": "boolean"},
        "toolExecutionNotifications": {
            "type": "array",
            "items": {"required": ["message"], "properties": {"message": TEXT, "level": LEVEL}},
        },
    },
}
SARIF = {
    "type": "object",
    "required": ["version", "runs"],
    "additionalProperties": False,
    "properties": {
        "$schema": {"type": "string", "format": "uri"},
        "version": {"const": "2.1.0"},
        "runs": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["tool", "results"],
                "properties": {
                    "tool": {
                        "type": "object",
                        "required": ["driver"],
                        "properties": {"driver": DRIVER},
                    },
                    "results": {"type": "array", "items": RESULT},
                    "invocations": {"type": "array", "items": INVOCATION},
                    "columnKind": {"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
                },
            },
        },
    },
}
"""What the specification and code scanning require of the parts that the gate writes."""


@pytest.fixture
def repository(tmp_path: Path) -> ContractRepository:
    return ContractRepository.make(tmp_path / "clone")


def _written(
    repository: ContractRepository, monkeypatch: pytest.MonkeyPatch, code: int
) -> dict[str, Any]:
    file = repository.root / "found.sarif"
    command = ["tailrace", "schema", "check", "--schemas", str(repository.schemas)]
    monkeypatch.setattr(sys, "argv", [*command, "--sarif", str(file)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert (ended.value.code or 0) == code
    content = json.loads(file.read_text())
    jsonschema.validate(content, SARIF)
    (run,) = content["runs"]
    rules = [each["id"] for each in run["tool"]["driver"]["rules"]]
    assert all(rules[each["ruleIndex"]] == each["ruleId"] for each in run["results"])
    made: dict[str, Any] = run
    return made


def test_without_findings_the_log_is_empty_and_valid(
    repository: ContractRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _written(repository, monkeypatch, 0)["results"] == []


def test_every_finding_is_a_result_at_its_file_and_line(
    repository: ContractRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.add_field('{"name": "note", "type": "string", "doc": "x"}')
    repository.replace(PROTO, "string name = 2", "string name = 3")
    results = _written(repository, monkeypatch, 1)["results"]
    first = results[0]
    place = first["locations"][0]["physicalLocation"]
    assert first["ruleId"] == "field-added-without-default"
    assert place["artifactLocation"]["uri"] == f"schemas/{ORDER_CREATED}"
    assert place["region"]["startLine"] == 11
    assert first["message"]["text"].startswith("orders.OrderCreated /fields/4 note: added without")
    assert {each["ruleId"] for each in results} == {
        "field-added-without-default",
        "field-no-delete-unless-name-reserved",
        "field-no-delete-unless-number-reserved",
    }


def test_a_finding_keeps_its_fingerprint_when_lines_move(
    repository: ContractRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.add_field('{"name": "note", "type": "string", "doc": "x"}')
    before = _written(repository, monkeypatch, 1)["results"][0]
    text = (repository.schemas / ORDER_CREATED).read_text()
    repository.write(ORDER_CREATED, f"\n\n{text}")
    after = _written(repository, monkeypatch, 1)["results"][0]
    assert before["locations"] != after["locations"]
    assert before["partialFingerprints"] == after["partialFingerprints"]


def test_notes_are_notifications_and_malformed_files_are_results(
    repository: ContractRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.write("catalogue.toml", "[")
    repository.commit()
    repository.write(PROTO, "nonsense")
    run = _written(repository, monkeypatch, 1)
    rules = {each["ruleId"] for each in run["results"]}
    assert rules == {"catalogue-malformed", "proto-does-not-compile"}
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "catalogue.toml of git:main" in note["message"]["text"]
