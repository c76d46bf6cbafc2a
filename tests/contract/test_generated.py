"""What is generated from the contracts is committed as it would be generated now, and is valid by its own rules."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from infra import asyncapi, catalogue_pages
from infra.generate import render_classes, render_documents, stale
from infra.repository import REPOSITORY
from schemas.catalogue import catalogue
from schemas.contracts import readers

ASYNCAPI_SCHEMA = Path(__file__).parent / "asyncapi-3.0.0.json"


@pytest.fixture
def document() -> dict[str, Any]:
    return asyncapi.document(catalogue(), "1.0.0")


def test_nothing_has_drifted() -> None:
    expected = render_classes() | render_documents()
    assert len(expected) > len(catalogue().topics)
    assert stale(expected) == [], (
        "what is generated has drifted from the contracts; run `make generate`"
    )


def test_how_to_pages_keep_bytes_before_they_make_the_pages_that_show_them() -> None:
    shown = 0
    for page in (REPOSITORY / "docs/how-to").glob("*.md"):
        for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL):
            kept, made = block.rfind("schema golden"), block.find("make generate")
            assert kept < made or kept < 0, page.name
            shown += kept >= 0
    assert shown >= 3


def test_the_asyncapi_document_is_valid(document: dict[str, Any]) -> None:
    validator = Draft7Validator(json.loads(ASYNCAPI_SCHEMA.read_text()))
    assert [error.message for error in validator.iter_errors(document)] == []
    broken = document | {"channels": {"order.events": {"address": 7}}}
    assert list(validator.iter_errors(broken)) != []


def test_the_asyncapi_document_tells_who_sends_and_who_receives(document: dict[str, Any]) -> None:
    operations = document["operations"]
    assert operations["orders.sends.order.events"]["action"] == "send"
    assert operations["payments-worker.receives.order.events"]["action"] == "receive"
    assert set(document["components"]["messages"]) == set(catalogue().messages)


def test_the_pages_tell_which_consumer_reads_which_field() -> None:
    page = catalogue_pages.render(catalogue(), readers())["order.events.md"]
    [placed_at] = [line for line in page.splitlines() if line.startswith("| `placed_at`")]
    customer, *_ = [line for line in page.splitlines() if line.startswith("| `customer_id`")]
    assert "| analytics-worker" in placed_at
    assert "payments-worker" not in placed_at
    assert "payments-worker" in customer
    assert "analytics-worker" not in customer
