"""What is wrong with one schema by itself, and on which line of its file."""

from typing import Any

import pytest

from schemas.contracts import avsc
from schemas.gate.avro.faults import faults
from schemas.gate.avro.parse import parse
from schemas.gate.lines import line_of
from schemas.messages import ALL

PAIR = {
    "type": "record",
    "name": "Pair",
    "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "int", "default": 0}],
}


@pytest.mark.parametrize(
    ("schema", "default", "expected"),
    [
        ("null", None, True),
        ("null", 0, False),
        ("boolean", False, True),
        ("boolean", 0, False),
        ("int", 2**31 - 1, True),
        ("int", 2**31, False),
        ("int", True, False),
        ("long", 2**31, True),
        ("long", 1.0, False),
        ("double", 1, True),
        ("double", "1", False),
        ("string", "", True),
        ("string", None, False),
        ("bytes", "\u00ff", True),
        ("bytes", "\u0100", False),
        ({"type": "fixed", "name": "F", "size": 2}, "ab", True),
        ({"type": "fixed", "name": "F", "size": 2}, "a", False),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "A", True),
        ({"type": "enum", "name": "E", "symbols": ["A"]}, "B", False),
        ({"type": "array", "items": "int"}, [1, 2], True),
        ({"type": "array", "items": "int"}, ["1"], False),
        ({"type": "array", "items": "int"}, {}, False),
        ({"type": "map", "values": "int"}, {"a": 1}, True),
        ({"type": "map", "values": "int"}, [], False),
        (["null", "string"], None, True),
        (["null", "string"], "second branch", True),
        (["null", "string"], 0, False),
        (PAIR, {"a": 1}, True),
        (PAIR, {"b": 1}, False),
    ],
)
def test_defaults(*, schema: Any, default: Any, expected: bool) -> None:
    assert of_field(type=schema, default=default) == (
        [] if expected else ["default-invalid /fields/1/default f"]
    )


def of_field(**field: Any) -> list[str]:
    other = {"name": "other", "type": "int"}
    schema = {"type": "record", "name": "R", "fields": [other, {"name": "f"} | field]}
    return [f"{each.rule} {each.path}" for each in faults("R", parse(schema))]


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"type": "string", "default": None}, ["default-invalid /fields/1/default f"]),
        ({"type": "int", "aliases": ["other"]}, ["alias-not-unique /fields/1/aliases f"]),
        (
            {"type": {"type": "int", "logicalType": "timestamp-micros"}},
            ["logical-type-ignored /fields/1/type/logicalType f"],
        ),
        (
            {"type": {"type": "bytes", "logicalType": "decimal", "precision": 2, "scale": 4}},
            ["logical-type-ignored /fields/1/type/logicalType f"],
        ),
        (
            {
                "type": {
                    "type": "fixed",
                    "name": "F",
                    "size": 2,
                    "logicalType": "decimal",
                    "precision": 5,
                }
            },
            ["logical-type-ignored /fields/1/type/logicalType f"],
        ),
        (
            {"type": {"type": "bytes", "logicalType": "decimal", "precision": 10**7}},
            ["logical-type-ignored /fields/1/type/logicalType f"],
        ),
        *(
            (
                {
                    "type": {
                        "type": "fixed",
                        "name": "F",
                        "size": size,
                        "logicalType": "decimal",
                        "precision": 4_000,
                    }
                },
                found,
            )
            for size, found in {
                1_661: ["logical-type-ignored /fields/1/type/logicalType f"],
                1_662: [],
                10**400: [],
            }.items()
        ),
        ({"type": {"type": "string", "logicalType": "of-our-own"}}, []),
        ({"type": "int", "default": 0, "aliases": ["g"]}, []),
    ],
)
def test_faults(field: dict[str, Any], expected: list[str]) -> None:
    assert of_field(**field) == expected


def test_faults_of_a_recursive_schema_end() -> None:
    following = {"name": "next", "type": ["null", "R"], "default": 7}
    schema = {"type": "record", "name": "R", "fields": [following]}
    assert [each.rule for each in faults("R", parse(schema))] == ["default-invalid"]


@pytest.mark.parametrize("message", ALL)
def test_our_own_schemas_are_sound(message: Any) -> None:
    assert faults(message.NAME, parse(avsc(message.NAME))) == []


TEXT = """\
{"type": "record", "name": "R", "fields": [
    {"name": "id", "type": "string", "doc": "quotes \\", braces } and commas, all inside"},
    {"name": "lines",
     "type": {"type": "array", "items": ["null", {"type": "record", "name": "Line", "fields": [
        {"name": "sku", "type": "string"},
        {"name": "quantity", "type": "int", "default": -1}
     ]}]}}
]}
"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ("/", 1),
        ("/fields/0 id", 2),
        ("/fields/1/type/items/1/fields/1/type lines.quantity", 6),
        ("/fields/1/type/items/1/fields/2 lines.removed", 3),
        ("/fields/2 removed", 1),
    ],
)
def test_lines(path: str, line: int) -> None:
    assert line_of(TEXT, path) == line
