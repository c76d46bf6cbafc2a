"""The OpenAPI documents of the services, as the gate reads them."""

import copy
import json
from typing import Any

import pytest

from producers.storefront.bootstrap import Settings, create_app
from schemas.gate.openapi.document import canonical
from tests.unit.schemas.gate.openapi_documents import check


@pytest.fixture(scope="module")
def storefront() -> dict[str, Any]:
    """The document of the storefront as FastAPI generates it."""
    settings = Settings(port=1, orders_url="http://127.0.0.1:1", orders_timeout_ms=1)
    return create_app(settings).openapi()


def test_a_service_is_compatible_with_itself(storefront: dict[str, Any]) -> None:
    assert check(storefront, copy.deepcopy(storefront)) == []


def test_the_committed_text_says_the_same_as_the_service(storefront: dict[str, Any]) -> None:
    committed = json.loads(canonical(storefront))
    assert check(storefront, committed) == check(committed, storefront) == []


def test_removing_all_operations_of_a_service_names_each(storefront: dict[str, Any]) -> None:
    findings = check(storefront, storefront | {"paths": {}})
    paths = storefront["paths"].items()
    assert {finding.path for finding in findings} == {
        f"{method.upper()} {path}" for path, item in paths for method in item
    }
