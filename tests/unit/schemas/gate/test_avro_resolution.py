"""Whether a reader's schema reads what a writer's wrote: one row per rule of the Avro specification."""

import time
from typing import Any

import pytest

from schemas.gate.avro.parse import parse
from schemas.gate.avro.resolution import check, check_strictly
from schemas.gate.avro.rules import Rule

DECIMAL = {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}
MICROS = {"type": "long", "logicalType": "timestamp-micros"}
MILLIS = {"type": "long", "logicalType": "timestamp-millis"}
UUID = {"type": "string", "logicalType": "uuid"}


def record(*fields: dict[str, Any], name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [*fields]} | more


def field(name: str, type_: Any = "int", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_} | more


def enum(*symbols: str, name: str = "E", **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": [*symbols]} | more


def fixed(size: int, name: str = "F", **more: Any) -> dict[str, Any]:
    return {"type": "fixed", "name": name, "size": size} | more


def array(items: Any) -> dict[str, Any]:
    return {"type": "array", "items": items}


def linked(value: str) -> dict[str, Any]:
    return record(field("value", value), field("next", ["null", "R"]))


READABLE = [
    # reader, writer
    *((same, same) for same in "null boolean int long float double bytes string".split()),
    *((wide, "int") for wide in ("long", "double")),
    ("double", "float"),
    ("bytes", "string"),
    (array("long"), array("int")),
    ({"type": "map", "values": "long"}, {"type": "map", "values": "int"}),
    # names count without their namespace, or by an alias with it
    (record(namespace="new"), record(namespace="old")),
    (record(name="New", aliases=["R"]), record()),
    (record(name="new.New", aliases=["old.R"]), record(namespace="old")),
    (enum("A", name="New", aliases=["E"]), enum("A")),
    (fixed(4, name="New", aliases=["F"]), fixed(4)),
    # fields are matched by name, then by alias; the order is free; what the reader lacks is skipped
    (record(field("b"), field("a", "string")), record(field("a", "string"), field("b"))),
    (record(), record(field("a"))),
    (record(field("a", default=0)), record()),
    (record(field("b", aliases=["a"])), record(field("a"))),
    (record(field("c", aliases=["a", "b"])), record(field("b"))),
    # enums
    (enum("B", "A", "C"), enum("A", "B")),
    (enum("A", default="A"), enum("A", "B")),
    # unions
    (["null", "int"], "int"),
    ("int", ["int"]),
    (["string", "null"], ["null", "string"]),
    (["null", "string", "int"], ["null", "string"]),
    (["null", "double"], ["int", "float"]),
    ("double", ["int", "float"]),
    (["null", record(field("a", default=0))], ["null", record()]),
    (["float", "long"], ["long"]),
    ([], []),
    ("int", []),
    # recursion ends
    (linked("long"), linked("int")),
    # logical types
    (DECIMAL, DECIMAL),
    (DECIMAL | {"precision": 12}, DECIMAL),
    (DECIMAL | {"scale": 0}, {"type": "bytes", "logicalType": "decimal", "precision": 9}),
    ("string", UUID),
    ({"type": "string", "logicalType": "of-our-own"}, "string"),
    ({"type": "int", "logicalType": "timestamp-micros"}, "int"),
]

UNREADABLE = [
    # reader, writer, what is found and where
    ("int", "long", [(Rule.TYPE, "/")]),
    ("float", "double", [(Rule.TYPE, "/")]),
    ("string", "int", [(Rule.TYPE, "/")]),
    (fixed(4), "bytes", [(Rule.TYPE, "/")]),
    (array("int"), array("string"), [(Rule.TYPE, "/items")]),
    ({"type": "map", "values": "int"}, array("int"), [(Rule.TYPE, "/")]),
    (record(name="Other"), record(), [(Rule.NAME, "/name")]),
    (record(), record(name="Other", aliases=["R"]), [(Rule.NAME, "/name")]),
    (record(name="new.New", aliases=["R"]), record(), [(Rule.NAME, "/name")]),
    (fixed(4, name="Other"), fixed(8), [(Rule.NAME, "/name"), (Rule.SIZE, "/size")]),
    (record(field("a")), record(), [(Rule.FIELD_MISSING, "/fields/0 a")]),
    (
        record(field("a", ["null", "int"])),
        record(),
        [(Rule.FIELD_MISSING, "/fields/0 a")],
    ),
    (record(field("total")), record(field("amount")), [(Rule.FIELD_RENAMED, "/fields/0 total")]),
    (
        record(field("x"), field("total_amount")),
        record(field("total_sum"), field("x")),
        [(Rule.FIELD_RENAMED, "/fields/1 total_amount")],
    ),
    (
        record(field("x"), field("city")),
        record(field("note"), field("x")),
        [(Rule.FIELD_MISSING, "/fields/1 city")],
    ),
    (
        record(field("total", "long")),
        record(field("amount", "string")),
        [(Rule.FIELD_MISSING, "/fields/0 total")],
    ),
    (
        record(field("b", aliases=["a"])),
        record(field("a"), field("b")),
        [(Rule.ALIAS_AMBIGUOUS, "/fields/0/aliases b")],
    ),
    (
        record(field("a"), field("b", aliases=["a"], default=0)),
        record(field("a")),
        [(Rule.ALIAS_AMBIGUOUS, "/fields/1/aliases b")],
    ),
    (enum("A"), enum("A", "B", "C"), [(Rule.SYMBOLS, "/symbols")]),
    (enum("A"), enum("A", "B", default="A"), [(Rule.SYMBOLS, "/symbols")]),
    ("int", ["null", "int"], [(Rule.BRANCH, "/0")]),
    (["null", "int"], ["string", "int", "boolean"], [(Rule.BRANCH, "/0"), (Rule.BRANCH, "/2")]),
    (["null", "int"], "string", [(Rule.TYPE, "/")]),
    (["null", record(field("a"))], ["null", record()], [(Rule.BRANCH, "/1")]),
    (linked("int"), linked("long"), [(Rule.TYPE, "/fields/0/type value")]),
    (
        record(field("a", array(record(field("b"), field("c", enum("A")), name="Inner")))),
        record(field("a", array(record(field("c", enum("A", "B")), name="Inner")))),
        [
            (Rule.FIELD_MISSING, "/fields/0/type/items/fields/0 a.b"),
            (Rule.SYMBOLS, "/fields/0/type/items/fields/1/type/symbols a.c"),
        ],
    ),
    # what decodes to something else
    (DECIMAL | {"scale": 4}, DECIMAL, [(Rule.SCALE, "/")]),
    (DECIMAL | {"precision": 5}, DECIMAL, [(Rule.PRECISION, "/")]),
    (MILLIS, MICROS, [(Rule.UNIT, "/")]),
    (
        {"type": "long", "logicalType": "time-micros"},
        {"type": "int", "logicalType": "time-millis"},
        [(Rule.UNIT, "/")],
    ),
    (MICROS | {"logicalType": "local-timestamp-micros"}, MICROS, [(Rule.LOGICAL, "/")]),
    (MICROS, "long", [(Rule.LOGICAL_GAINED, "/")]),
    ("long", MICROS, [(Rule.LOGICAL_LOST, "/")]),
    (UUID, "string", [(Rule.LOGICAL_GAINED, "/")]),
    ("float", "int", [(Rule.ROUNDED, "/")]),
    ("float", "long", [(Rule.ROUNDED, "/")]),
    ("double", ["int", "float", "long"], [(Rule.ROUNDED, "/2")]),
    ("string", "bytes", [(Rule.TEXT, "/")]),
    (["null", "string"], ["null", "bytes"], [(Rule.TEXT, "/1")]),
    # Java renames what was written by the aliases of types, all over the schema
    (
        record(field("a", enum("X", name="New", aliases=["E"]))),
        record(field("a", enum("X")), field("b", enum("X", name="New"))),
        [(Rule.ALIAS_AMBIGUOUS, "/fields/0/type/aliases a")],
    ),
    (["null", MILLIS], ["null", MICROS], [(Rule.UNIT, "/1")]),
]


@pytest.mark.parametrize(("reader", "writer"), READABLE)
def test_readable(reader: Any, writer: Any) -> None:
    assert check_strictly(parse(reader), parse(writer)) == []


@pytest.mark.parametrize(("reader", "writer", "expected"), UNREADABLE)
def test_unreadable(reader: Any, writer: Any, expected: list[tuple[Rule, str]]) -> None:
    found = check_strictly(parse(reader), parse(writer))
    assert [(each.rule, str(each.place)) for each in found] == expected


@pytest.mark.parametrize(
    ("reader", "writer"),
    [("float", "int"), ("float", "long"), ("double", "long"), ("string", "bytes")],
)
def test_what_may_be_rounded_or_no_text_is_no_matter_of_resolution(
    reader: str, writer: str
) -> None:
    assert check(parse(reader), parse(writer)) == []


def test_an_annotation_on_one_side_is_no_matter_of_resolution() -> None:
    annotated, bare = parse(MICROS), parse("long")
    assert check(annotated, bare) == check(bare, annotated) == []
    assert check(annotated, parse(MILLIS)) != []


def test_a_branch_that_was_meant_says_why_it_does_not_fit() -> None:
    reader = parse(["null", record(field("a"), field("b", "string"))])
    [found] = check(reader, parse(["null", record(field("b"))]))
    assert found.rule is Rule.BRANCH
    assert [(each.rule, str(each.place)) for each in found.causes] == [
        (Rule.FIELD_MISSING, "/1/fields/0 a"),
        (Rule.TYPE, "/1/fields/1/type b"),
    ]


def test_a_record_used_twice_is_judged_once() -> None:
    def two(amount: str) -> dict[str, Any]:
        money = record(field("amount", amount), name="Money")
        return record(field("net", money), field("gross", "Money"))

    assert [str(each.place) for each in check(parse(two("int")), parse(two("long")))] == [
        "/fields/0/type/fields/0/type net.amount"
    ]


def test_mutual_recursion_through_unions_ends() -> None:
    def tree(leaf: str) -> dict[str, Any]:
        branch = record(field("left", ["null", "Tree"]), field("leaf", leaf), name="Branch")
        return record(field("branch", ["null", branch]), name="Tree")

    assert check(parse(tree("long")), parse(tree("int"))) == []
    assert [each.rule for each in check(parse(tree("int")), parse(tree("long")))] == [Rule.BRANCH]


def test_optional_records_within_each_other_take_no_longer_than_their_size() -> None:
    def nested(leaf: str) -> Any:
        schema: Any = leaf
        for level in range(30):
            schema = record(
                field("a", ["null", schema]), field("b", ["null", "int"]), name=f"R{level}"
            )
        return schema

    began = time.process_time()
    assert check(parse(nested("long")), parse(nested("int"))) == []
    assert check(parse(nested("int")), parse(nested("long"))) != []
    assert time.process_time() - began < 1


def test_a_record_of_thousands_of_fields_is_compared_at_once() -> None:
    old, new = (
        record(*(field(f"{prefix}_{number}") for number in range(2000))) for prefix in ("was", "is")
    )
    began = time.process_time()
    assert len(check(parse(new), parse(old))) == 2000
    assert time.process_time() - began < 5
