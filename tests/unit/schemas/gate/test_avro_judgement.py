"""What is judged by what is really read: types used twice, moved, renamed or in unions, or nested."""

import json
import time
from typing import Any

import pytest

from schemas.datum import DatumReader
from schemas.gate.avro.parse import MalformedSchemaError, record
from schemas.gate.judge import judge
from schemas.gate.modes import Mode, Version
from schemas.gate.sources import MalformedFileError, whole
from schemas.gate.sources import record as record_of


def rec(*fields: dict[str, Any], name: str = "R", **more: Any) -> dict[str, Any]:
    return {"type": "record", "name": name, "fields": [*fields], **more}


def field(name: str, type_: Any = "int", **more: Any) -> dict[str, Any]:
    return {"name": name, "type": type_, **more}


def enum(name: str, *symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": name, "symbols": [*symbols], **more}


def rules(writer: Any, reader: Any, mode: Mode) -> list[str]:
    return [
        found.rule for found in judge("s", record(reader), [Version("v1", record(writer))], mode)
    ]


def both(kind: Any) -> tuple[Any, Any]:
    return rec(field("s", kind)), rec(field("s", kind), field("z", default=0))


ADDRESS = rec(field("x"), name="Addr")
STATUS = enum("S", "UNK", "A", "B", default="UNK")
SHRUNK = enum("S", "UNK", "A", default="UNK")
SMALL = enum("K", "A", "B")
CARD = rec(field("status", enum("CardStatus", "P", "Q", default="P")), name="Card")
CASH = rec(field("status", enum("CashStatus", "X", "Y", default="X")), name="Cash")


@pytest.mark.parametrize(
    ("writer", "reader", "datum", "read"),
    [
        (
            rec(field("bill", ADDRESS), field("ship", "Addr")),
            rec(field("ship", ["null", ADDRESS])),
            "0204",
            {"ship": {"x": 2}},
        ),
        (
            rec(field("a", SMALL), field("b", {"type": "array", "items": "K"})),
            rec(field("b", {"type": "array", "items": [SMALL, "null"]})),
            "00020200",
            {"b": ["B"]},
        ),
        (
            rec(field("a", SMALL), field("b", {"type": "map", "values": "K"})),
            rec(field("b", {"type": "map", "values": ["null", SMALL]})),
            "0002026b0200",
            {"b": {"k": "B"}},
        ),
        (
            rec(field("a", ["null", "bytes", "string"]), field("z", default=0)),
            rec(field("a", ["null", "bytes", "string"])),
            "0404686902",
            {"a": "hi"},
        ),
        (
            rec(field("a", ["null", "double", "long"]), field("z", default=0)),
            rec(field("a", ["null", "double", "long"])),
            "04828080808080802002",
            {"a": 2**53 + 1},
        ),
        (
            *both([enum("P", "P", default="P"), enum("X", "X", "Y", default="X")]),
            "0202",
            {"s": "Y", "z": 0},
        ),
        (*both([CARD, CASH]), "0202", {"s": {"status": "Y"}, "z": 0}),
        (
            rec(field("a", CASH)),
            rec(field("a", ["null", CARD, CASH])),
            "02",
            {"a": {"status": "Y"}},
        ),
    ],
)
def test_what_is_judged_compatible_is_read(writer: Any, reader: Any, datum: str, read: Any) -> None:
    assert rules(writer, reader, Mode.BACKWARD) == []
    assert DatumReader(record(writer), record(reader)).read(bytes.fromhex(datum)) == read


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        (rec(field("a", STATUS), field("b", "S")), rec(field("b", SHRUNK), field("a", "S"))),
        (rec(field("a", STATUS)), rec(field("n", SHRUNK, aliases=["a"]))),
        (rec(field("a", STATUS)), rec(field("a", ["null", SHRUNK]))),
        (rec(field("a", STATUS)), rec(field("a", SHRUNK | {"name": "T", "aliases": ["S"]}))),
        (
            rec(field("c", STATUS), field("a", ["null", rec(field("s", "S"), name="P")])),
            rec(field("a", ["null", rec(field("s", SHRUNK), name="P")])),
        ),
    ],
)
def test_a_symbol_that_its_default_hides_is_missed_wherever_it_is_read(
    writer: Any, reader: Any
) -> None:
    assert rules(writer, reader, Mode.BACKWARD) == ["enum-symbol-removed"]


def test_a_symbol_that_nobody_reads_any_more_is_not_missed() -> None:
    assert (
        rules(
            rec(field("a", STATUS)),
            rec(field("b", SHRUNK, default="A", doc="Other.")),
            Mode.BACKWARD,
        )
        == []
    )


@pytest.mark.parametrize(
    "fields",
    [
        [field("a", enum("K2", "X", aliases=["K"])), field("b", enum("K", "X"))],
        [field("a", enum("K2", "X", aliases=["K"])), field("b", enum("K3", "X", aliases=["K"]))],
        [field("a", aliases=["c"]), field("b", aliases=["c"])],
    ],
)
def test_an_alias_names_one_thing(fields: list[Any]) -> None:
    assert "alias-not-unique" in rules(rec(), rec(*fields), Mode.NONE)


@pytest.mark.parametrize(
    ("type_", "default"),
    [
        ({"type": "bytes", "logicalType": "decimal", "precision": 2}, "\u0001\u0000"),
        ({"type": "string", "logicalType": "uuid"}, "none"),
        ({"type": "int", "logicalType": "time-millis"}, -1),
        ({"type": "int", "logicalType": "date"}, 2**31 - 1),
        ({"type": "array", "items": {"type": "string", "logicalType": "uuid"}}, ["none"]),
        ("float", 1e300),
        ("double", float("inf")),
        ("string", "\ud800"),
    ],
)
def test_a_default_that_the_decoder_can_make_nothing_of_is_refused(
    type_: Any, default: Any
) -> None:
    assert rules(rec(), rec(field("a", type_, default=default)), Mode.NONE) == ["default-invalid"]


@pytest.mark.parametrize(
    "document",
    [
        rec(field("a", enum("K", "X", default=None))),
        rec(
            field("a", enum("K", "X", namespace="")),
            field("b", ["null", "K"], default=None),
            namespace="n",
        ),
        rec(field("a", doc=5)),
        rec(field("a", "strng")),
        rec(field("a", {"type": 7})),
    ],
)
def test_what_is_no_schema_is_told_with_its_place(document: Any) -> None:
    with pytest.raises(MalformedSchemaError, match=r"^/fields/"):
        record(document)


def nested(depth: int, *, records: bool) -> str:
    kind: Any = "int"
    for level in range(depth):
        array = {"type": "array", "items": kind}
        kind = rec(field("f", kind), name=f"R{level}") if records else array
    return json.dumps(rec(field("f", kind)))


@pytest.mark.parametrize("text", [nested(450, records=False), nested(200, records=True)])
def test_what_is_nested_too_deeply_is_said_at_once(text: str) -> None:
    began = time.process_time()
    with pytest.raises(MalformedFileError, match="more than 64 types stand within each other"):
        record_of(whole("avro/x/R.avsc", {"avro/x/R.avsc": text}))
    assert time.process_time() - began < 1


@pytest.mark.parametrize("records", [True, False])
def test_what_is_nested_as_deeply_as_may_be_is_judged(*, records: bool) -> None:
    document = json.loads(nested(60, records=records))
    assert rules(document, document, Mode.FULL) == []
    DatumReader(record(document))
