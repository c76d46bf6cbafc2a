"""What holds for all schemas: what the gate calls compatible fits every value, and safe changes are never refused."""

import re
from decimal import Decimal
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from schemas.gate.finding import Finding
from tests.examples import times
from tests.unit.schemas.gate.openapi_documents import REF, check, with_request, with_response

Schema = Any

SCALARS = [None, True, False, -1, 0, 1, 2, 3, 1.5, 2.5, "", "a", "b", "ab", "abc", "x1"]
LISTS = [[], ["a"], [1], [1, 1], ["a", "b"], [None], [1, "a"], [[]]]
OBJECTS = [
    *({}, {"a": 1}, {"a": "a"}, {"b": None}, {"a": 1, "b": 2}, {"a": "a", "b": "b"}, {"c": 1}),
    *({"a": {"a": 1}}, {"a": []}, {"a": 1, "c": "a"}, {"a": {"b": "b"}}, {"b": ["a"]}),
]
VALUES: list[Any] = [*SCALARS, *LISTS, *OBJECTS]
KINDS = {
    "null": lambda value: value is None,
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "number": lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def allows(schema: Schema, value: Any, *, strictly: bool) -> bool:
    """Whether a schema allows a value: a second reading of the keywords that the strategies below use.

    Args:
        schema: The schema.
        value: The value.
        strictly: Refuse undeclared properties, as if a writer sent nothing but what the schema names.
    """
    if isinstance(schema, bool):
        return schema
    unions = [schema[union] for union in ("anyOf", "oneOf") if union in schema]
    kinds = schema.get("type", list(KINDS))
    return bool(
        any(KINDS[kind](value) for kind in ([kinds] if isinstance(kinds, str) else kinds))
        and ("enum" not in schema or any(_same(value, known) for known in schema["enum"]))
        and ("const" not in schema or _same(value, schema["const"]))
        and all(any(allows(one, value, strictly=strictly) for one in union) for union in unions)
        and all(allows(part, value, strictly=strictly) for part in schema.get("allOf", ()))
        and _within(schema, value, strictly=strictly)
    )


def _same(left: Any, right: Any) -> bool:
    return bool(left == right) and isinstance(left, bool) == isinstance(right, bool)


def _within(schema: Schema, value: Any, *, strictly: bool) -> bool:
    match value:
        case str():
            matches = re.search(schema.get("pattern", ""), value)
            return bool(matches) and _sized(schema, "Length", len(value))
        case bool() | None:
            return True
        case int() | float():
            return _ranged(schema, Decimal(str(value)))
        case list():
            items = schema.get("items", True)
            fit = all(allows(items, item, strictly=strictly) for item in value)
            different = len({repr(item) for item in value}) == len(value)
            return (
                fit
                and _sized(schema, "Items", len(value))
                and (different or not schema.get("uniqueItems"))
            )
        case _:
            return _shaped(schema, value, strictly=strictly)


def _sized(schema: Schema, what: str, size: int) -> bool:
    least, most = schema.get(f"min{what}", 0), schema.get(f"max{what}", size)
    return bool(least <= size <= most)


def _ranged(schema: Schema, value: Decimal) -> bool:
    return bool(
        value >= schema.get("minimum", value)
        and value <= schema.get("maximum", value)
        and value > schema.get("exclusiveMinimum", value - 1)
        and value < schema.get("exclusiveMaximum", value + 1)
        and value % schema.get("multipleOf", abs(value) or 1) == 0
    )


def _shaped(schema: Schema, value: dict[str, Any], *, strictly: bool) -> bool:
    properties, others = schema.get("properties", {}), schema.get("additionalProperties", True)
    if strictly and others in (True, {}) and "type" in schema:
        others = False
    return set(schema.get("required", ())) <= value.keys() and all(
        allows(properties.get(name, others), item, strictly=strictly)
        for name, item in value.items()
    )


def _some(**keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keywords)


def _typed(kind: str, **keywords: st.SearchStrategy[Any]) -> st.SearchStrategy[Schema]:
    return _some(**keywords).map(lambda found: {"type": kind} | found)


SMALL = st.integers(0, 3)
NUMBERS = {
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), SMALL),
    "multipleOf": st.integers(1, 3),
}
LIMITED = st.one_of(
    _typed("integer", **NUMBERS),
    _typed("number", **NUMBERS),
    _typed("string", minLength=SMALL, maxLength=SMALL, pattern=st.sampled_from(["^a", "b$"])),
)
LEAVES = st.one_of(
    st.just({}),
    st.just({"type": "null"}),
    st.just({"type": "boolean"}),
    LIMITED,
    st.lists(st.sampled_from(SCALARS), min_size=1, max_size=3).map(lambda some: {"enum": some}),
    st.sampled_from(SCALARS).map(lambda value: {"const": value}),
    st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=3, unique=True).map(
        lambda kinds: {"type": kinds}
    ),
)


def _containers(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    names = st.sampled_from("abc")
    several = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        _typed("array", items=inner, minItems=SMALL, maxItems=SMALL, uniqueItems=st.booleans()),
        _typed(
            "object",
            properties=st.dictionaries(names, inner, max_size=3),
            required=st.lists(names, unique=True, max_size=2),
            additionalProperties=st.booleans() | inner,
        ),
        several.map(lambda some: {"anyOf": some}),
        several.map(lambda some: {"oneOf": some}),
        st.lists(LIMITED, min_size=1, max_size=2).map(lambda some: {"allOf": some}),
    )


SCHEMAS = st.recursive(LEAVES, _containers, max_leaves=5)
PAIRS = st.tuples(SCHEMAS, SCHEMAS)
NEAR = st.one_of(
    PAIRS,
    PAIRS.map(lambda pair: (pair[0], {"anyOf": list(pair)})),
    PAIRS.map(lambda pair: (pair[0], pair[0] | pair[1])),
    PAIRS.map(lambda pair: (pair[0] | pair[1], pair[0])),
)
"""Pairs of schemas, many of which are compatible in one direction."""


def _in_request(old: Schema, new: Schema, **components: Schema) -> list[Finding]:
    return check(with_request(old, **components), with_request(new, **components))


def _in_response(old: Schema, new: Schema, **components: Schema) -> list[Finding]:
    return check(with_response(old, **components), with_response(new, **components))


@times(2)
@given(NEAR)
def test_what_an_old_request_may_hold_is_accepted_if_the_gate_says_so(pair: Any) -> None:
    old, new = pair
    compatible = not _in_request(old, new)
    event("compatible" if compatible else "refused")
    assume(compatible)
    for value in VALUES:
        if allows(old, value, strictly=True):
            assert allows(new, value, strictly=False), value


@times(2)
@given(NEAR)
def test_what_a_new_response_may_hold_was_announced_if_the_gate_says_so(pair: Any) -> None:
    new, old = pair
    compatible = not _in_response(old, new)
    event("compatible" if compatible else "refused")
    assume(compatible)
    for value in VALUES:
        if allows(new, value, strictly=True):
            assert allows(old, value, strictly=False), value


@given(SCHEMAS)
def test_every_schema_is_compatible_with_itself(schema: Schema) -> None:
    same = {"allOf": [schema]}
    assert _in_request(schema, same) == _in_request(same, schema) == []
    assert _in_response(schema, same) == _in_response(same, schema) == []


@given(SCHEMAS)
def test_a_reference_is_what_it_refers_to(schema: Schema) -> None:
    reference = {"$ref": f"{REF}Thing"}
    for check_in in (_in_request, _in_response):
        assert check_in(schema, reference, Thing=schema) == []
        assert check_in(reference, {"allOf": [reference]}, Thing=schema) == []


@given(SCHEMAS, SCHEMAS)
def test_an_optional_property_may_join_a_request(known: Schema, new: Schema) -> None:
    old = {"type": "object", "properties": {"a": known}, "required": ["a"]}
    assert _in_request(old, old | {"properties": {"a": known, "b": new}}) == []


@given(SCHEMAS, SCHEMAS)
def test_any_property_may_join_a_response(known: Schema, new: Schema) -> None:
    old = {"type": "object", "properties": {"a": known}, "required": ["a"]}
    after = old | {"properties": {"a": known, "b": new}, "required": ["a", "b"]}
    assert _in_response(old, after) == []


@given(SCHEMAS, SCHEMAS)
def test_an_alternative_may_join_a_request_and_leave_a_response(one: Schema, two: Schema) -> None:
    both = {"anyOf": [one, two]}
    assert _in_request(one, both) == []
    assert _in_response(both, one) == []


@given(SCHEMAS)
def test_a_property_may_leave_neither_requests_nor_responses(schema: Schema) -> None:
    old = {"type": "object", "properties": {"a": schema}}
    assert [finding.rule for finding in _in_request(old, {"type": "object"})] == [
        "request-property-removed"
    ]
    assert [finding.rule for finding in _in_response(old, {"type": "object"})] == [
        "response-property-removed"
    ]
