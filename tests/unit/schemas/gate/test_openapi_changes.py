"""Every kind of change of a schema or an operation, and the gate's verdict on it: `openapi_cases.toml`."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from schemas.gate.finding import Finding
from schemas.gate.openapi.rules import RULES, Direction
from tests.unit.schemas.gate.openapi_documents import check, document, with_request, with_response

Case = dict[str, Any]
TABLE: dict[str, list[Case]] = tomllib.loads(
    Path(__file__).with_name("openapi_cases.toml").read_text()
)
PREFIX = "storefront POST /v1/orders "
SCHEMAS, OPERATIONS = TABLE["schemas"], TABLE["operations"]


def _named(case: Case) -> str:
    name: str = case["name"]
    return name


def _said(findings: list[Finding], prefix: str) -> list[list[str]]:
    return [[finding.rule, str(finding).removeprefix(prefix)] for finding in findings]


@pytest.mark.parametrize("case", SCHEMAS, ids=_named)
def test_schema_of_a_request(case: Case) -> None:
    old, new = (with_request(json.loads(case[side])) for side in ("old", "new"))
    assert _said(check(old, new), PREFIX) == case["request"]


@pytest.mark.parametrize("case", SCHEMAS, ids=_named)
def test_schema_of_a_response(case: Case) -> None:
    old, new = (with_response(json.loads(case[side])) for side in ("old", "new"))
    assert _said(check(old, new), PREFIX) == case["response"]


@pytest.mark.parametrize("case", OPERATIONS, ids=_named)
def test_operation(case: Case) -> None:
    old, new = (document(json.loads(case.get(side, "null"))) for side in ("old", "new"))
    assert _said(check(old, new), "storefront ") == case["found"]


@pytest.mark.parametrize("direction", Direction)
def test_every_rule_about_schemas_has_a_case(direction: Direction) -> None:
    rules = {rule for rule, _, _ in RULES[direction].values()}
    assert rules == {rule for case in SCHEMAS for rule, _ in case[direction]}
