"""Reading schema documents: names, references, and what is no schema."""

from typing import Any

import pytest

from schemas.contracts import avsc
from schemas.gate.avro.model import Record, Union
from schemas.gate.avro.parse import MalformedSchemaError, parse
from schemas.messages import ALL


def record(*fields: Any, name: str = "shop.Order") -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [*fields]}


def test_names_inherit_their_namespace() -> None:
    inner = {
        "type": "enum",
        "name": "State",
        "symbols": ["NEW"],
        "aliases": ["Status", "old.State"],
    }
    parsed = parse(
        record({"name": "state", "type": inner}, {"name": "next", "type": ["null", "Order"]})
    )
    assert isinstance(parsed, Record)
    state, following = parsed.fields[0].type, parsed.fields[1].type
    assert str(state) == "shop.State"
    assert state.aliases == ("shop.Status", "old.State")  # type: ignore[union-attr]
    assert isinstance(following, Union)
    assert following.branches[1] is parsed


@pytest.mark.parametrize("message", ALL)
def test_our_own_schemas_parse(message: Any) -> None:
    assert str(parse(avsc(message.NAME))) == message.NAME


@pytest.mark.parametrize(
    ("document", "problem"),
    [
        ("strnig", "/: there is no type strnig, or it is defined further down"),
        (7, "/: 7 is not a type"),
        ({"type": "array"}, "/: the array does not say what it holds"),
        (["int", ["null"]], "/1: a union stands directly in a union"),
        (["int", "int"], "/1: the union has int twice"),
        ({"type": "record", "name": "R"}, "/: the record R has no list of fields"),
        ({"type": "record", "fields": []}, "/: the record has no name"),
        ({"type": "record", "name": "a-b", "fields": []}, "/: 'a-b' cannot be the name of a type"),
        (record({"name": "a"}), "/fields/0: not a field with a name and a type"),
        (
            record({"name": "a", "type": "int"}, {"name": "a", "type": "int"}),
            "/: the field a is there twice",
        ),
        (
            record(
                {"name": "a", "type": record(name="R")}, {"name": "b", "type": record(name="R")}
            ),
            "/fields/1/type b: shop.R is defined twice",
        ),
        (
            record({"name": "a", "type": "int", "aliases": "b"}),
            "/fields/0/aliases a: not a list of names",
        ),
        (
            {"type": "enum", "name": "E", "symbols": "AB"},
            "/: the enum E has no list of symbols that are names",
        ),
        (
            {"type": "enum", "name": "E", "symbols": ["A", "A"]},
            "/symbols: the symbol A is there twice",
        ),
        (
            {"type": "enum", "name": "E", "symbols": ["A"], "default": "B"},
            '/default: "B" is not a symbol of E',
        ),
        ({"type": "fixed", "name": "F", "size": "4"}, "/: the fixed type F has no size"),
    ],
)
def test_malformed(document: Any, problem: str) -> None:
    with pytest.raises(MalformedSchemaError) as refusal:
        parse(document)
    assert str(refusal.value) == problem
