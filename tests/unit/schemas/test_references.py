"""Named types with files of their own become part of each schema that uses them."""

import json
from typing import Any

import fastavro
import pytest

from schemas.contracts import avsc
from schemas.references import inlined

MONEY = {
    "type": "record",
    "name": "Money",
    "namespace": "common",
    "fields": [{"name": "amount", "type": "long"}, {"name": "currency", "type": "Currency"}],
}
CURRENCY = {"type": "enum", "name": "Currency", "namespace": "common", "symbols": ["EUR"]}
NODE = {
    "type": "record",
    "name": "Node",
    "namespace": "common",
    "fields": [{"name": "next", "type": ["null", "Node"]}],
}
FILES: dict[str, Any] = {"common.Money": MONEY, "common.Currency": CURRENCY, "common.Node": NODE}


def record(*types: Any, namespace: str = "orders") -> dict[str, Any]:
    fields = [{"name": f"f{index}", "type": each} for index, each in enumerate(types)]
    return {"type": "record", "name": "Order", "namespace": namespace, "fields": fields}


def types(schema: dict[str, Any]) -> list[Any]:
    return [field["type"] for field in schema["fields"]]


def load(name: str) -> Any:
    return FILES[name]


def test_a_type_is_defined_where_it_is_first_used_and_named_after() -> None:
    first, second = types(inlined(record("common.Money", "common.Money"), load))
    assert first["name"] == "Money"
    assert second == "common.Money"


def test_what_a_type_uses_comes_with_it() -> None:
    (money,) = types(inlined(record("common.Money"), load))
    assert types(money)[1] == CURRENCY


def test_a_short_name_is_one_of_the_same_namespace() -> None:
    (money,) = types(inlined(record("Money", namespace="common"), load))
    assert money["name"] == "Money"


def test_a_type_may_use_itself() -> None:
    (node,) = types(inlined(record("common.Node"), load))
    assert types(node) == [["null", "Node"]]


@pytest.mark.parametrize(
    "place",
    [
        lambda name: ["null", name],
        lambda name: {"type": "array", "items": name},
        lambda name: {"type": "map", "values": {"type": "array", "items": ["null", name]}},
        lambda name: record(name, namespace="inner") | {"name": "Inner"},
    ],
)
def test_wherever_a_type_is_used_the_result_is_whole(place: Any) -> None:
    whole = inlined(record(place("common.Money")), load)
    fastavro.parse_schema(json.loads(json.dumps(whole)))


def test_what_defines_all_it_uses_stays_as_it_is() -> None:
    document = record("string", CURRENCY, "common.Currency", {"type": "array", "items": "int"})
    before = json.dumps(document)
    assert json.dumps(inlined(document, load)) == before


def test_the_document_given_is_not_changed() -> None:
    document = record("common.Money")
    inlined(document, load)
    assert types(document) == ["common.Money"]


def test_a_type_that_is_nowhere_is_missed() -> None:
    with pytest.raises(LookupError):
        inlined(record("common.Missing"), load)


@pytest.mark.parametrize("malformed", [7, {"type": "record"}, {"no": "type"}, {"fields": 1}, [3]])
def test_what_is_malformed_is_left_to_those_who_say_so(malformed: Any) -> None:
    assert inlined(malformed, load) == malformed


def test_the_schemas_of_the_catalogue_are_whole() -> None:
    fastavro.parse_schema(avsc("orders.OrderCreated"))
