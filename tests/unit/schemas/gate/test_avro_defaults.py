"""What older events come to say by another default: it is refused, and by its consequences alone."""

from typing import Any

import pytest

from schemas.datum import DatumReader, DatumWriter
from schemas.gate.avro.parse import record
from schemas.gate.judge import judge
from schemas.gate.modes import Mode, Version
from schemas.gate.pinned import unfillable
from tests.unit.schemas.gate.test_avro_judgement import enum, field, rec

BARE = rec(field("a"))
EMPTY: list[Any] = []


def beside(*fields: dict[str, Any]) -> Any:
    return rec(field("a"), *fields)


def within(kind: str, *fields: dict[str, Any]) -> Any:
    inner = rec(*fields, name="Line")
    shapes = {
        "record": inner,
        "array": {"type": "array", "items": inner},
        "map": {"type": "map", "values": inner},
        "union": ["null", rec(field("d"), name="Other"), inner],
    }
    return rec(field("held", shapes[kind]))


def versions(*documents: Any) -> list[Version]:
    return [Version(f"v{number}", record(each)) for number, each in enumerate(documents)]


def said(*documents: Any, mode: Mode = Mode.FULL_TRANSITIVE) -> list[tuple[str, str]]:
    """Return rule and place of what is found in the last of some schemas, each later than the one before."""
    *olds, new = documents
    return [(each.rule, each.path) for each in judge("s", record(new), versions(*olds), mode)]


@pytest.mark.parametrize(
    ("type_", "before", "after"),
    [
        ("boolean", False, True),
        ("string", "choreography", "orchestration"),
        (enum("Way", "land", "sea"), "land", "sea"),
        (
            {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2},
            "\u0001",
            "\u0002",
        ),
        (["null", "string"], None, ""),
        (["boolean", "int"], True, 1),
        ({"type": "array", "items": "int"}, [], [1]),
        ({"type": "map", "values": "int"}, {"a": 1}, {"b": 1}),
        (rec(field("x"), name="Point"), {"x": 1}, {"x": 2}),
    ],
)
def test_another_default_says_something_else_of_older_events(
    type_: Any, before: Any, after: Any
) -> None:
    was, now = (beside(field("b", type_, default=each)) for each in (before, after))
    assert said(BARE, was, now) == [("default-changed", "/fields/1/default b")]
    assert said(BARE, was, was) == EMPTY
    old = DatumWriter(record(BARE)).write({"a": 1})
    read = [DatumReader(record(BARE), record(each), tagged=True).read(old) for each in (was, now)]
    assert read[0]["b"] != read[1]["b"]


@pytest.mark.parametrize("kind", ["record", "array", "map", "union"])
def test_a_default_counts_wherever_its_record_stands(kind: str) -> None:
    bare = within(kind, field("x"))
    was, now = (within(kind, field("x"), field("y", default=each)) for each in (0, 1))
    [(rule, place)] = said(bare, was, now)
    assert rule == "default-changed"
    assert place.endswith("/fields/1/default held.y")


@pytest.mark.parametrize(
    ("documents", "found"),
    [
        pytest.param(
            [BARE, beside(field("b", default=1)), BARE, beside(field("b", default=2))],
            "default-changed",
            id="brought back with another",
        ),
        pytest.param(
            [
                BARE,
                beside(field("b", default=1)),
                beside(field("c", default=2, aliases=["b"])),
            ],
            "default-changed",
            id="under another name",
        ),
        pytest.param(
            [
                BARE,
                beside(field("b", rec(field("x", default=1), name="P"), default={})),
                beside(field("b", rec(field("x", default=2), name="P"), default={})),
            ],
            "default-changed",
            id="of a record that has defaults itself",
        ),
        pytest.param(
            [rec(field("b")), rec(field("c", aliases=["b"])), rec(field("c", default=0))],
            "alias-removed",
            id="an alias that is gone",
        ),
        pytest.param(
            [
                rec(field("b")),
                rec(field("c", aliases=["b"])),
                rec(field("d", aliases=["c"], default=0)),
            ],
            "alias-removed",
            id="an alias of an alias",
        ),
        pytest.param(
            [
                within("array", field("b")),
                within("array", field("c", aliases=["b"], default=7)),
                within("array", field("c", default=7)),
            ],
            "alias-removed",
            id="an alias in a record of a list",
        ),
    ],
)
def test_what_older_events_meant_is_what_the_latest_schema_made_of_them(
    documents: list[Any], found: str
) -> None:
    assert [rule for rule, _ in said(*documents, mode=Mode.BACKWARD_TRANSITIVE)] == [found]


@pytest.mark.parametrize(
    "documents",
    [
        pytest.param(
            [beside(field("b", default=1)), beside(field("b", default=2))],
            id="every event has it",
        ),
        pytest.param(
            [BARE, beside(field("b", default=0)), beside(field("b", "long", default=0))],
            id="the same in a wider type",
        ),
        pytest.param(
            [
                BARE,
                beside(field("b", rec(field("x"), name="P"), default={"x": 1})),
                beside(
                    field(
                        "b",
                        rec(field("x"), field("y", default=2), name="P"),
                        default={"x": 1, "y": 2},
                    )
                ),
            ],
            id="more of the same record",
        ),
        pytest.param(
            [
                BARE,
                beside(field("b", default=1)),
                beside(field("b", default=2)),
                beside(field("b", default=2), field("c", default=0)),
            ],
            id="changed before",
        ),
        pytest.param(
            [
                rec(field("b")),
                rec(field("c", aliases=["b"])),
                rec(field("c", aliases=["b", "x"], default=0)),
            ],
            id="an alias that stays",
        ),
    ],
)
def test_what_says_the_same_of_every_event_passes(documents: list[Any]) -> None:
    assert said(*documents, mode=Mode.BACKWARD_TRANSITIVE) == EMPTY


@pytest.mark.parametrize("mode", [Mode.NONE, Mode.FORWARD_TRANSITIVE, Mode.BACKWARD])
def test_a_promise_that_does_not_reach_so_far_lets_it_pass(mode: Mode) -> None:
    was, now = (beside(field("b", default=each)) for each in (0, 1))
    assert said(BARE, was, now, mode=mode) == EMPTY


def test_a_default_symbol_stands_for_what_a_consumer_does_not_know() -> None:
    was, now = (beside(field("k", enum("K", "A", "B", default=symbol))) for symbol in ("A", "B"))
    assert said(was, now) == [("default-changed", "/fields/1/type/default k")]
    assert said(beside(field("k", enum("K", "A", "B"))), now) == EMPTY


def test_it_is_told_with_both_values_and_the_events_that_lack_it() -> None:
    was, now = (beside(field("b", "boolean", default=each)) for each in (False, True))
    [finding] = judge("s", record(now), versions(BARE, was), Mode.FULL_TRANSITIVE)
    assert str(finding) == (
        "s /fields/1/default b: the default was changed from false to true; a consumer that reads old events takes "
        "true for what meant false, and no error tells (v0). Make false the default again, and have whoever means true "
        "write it"
    )


def test_a_pinned_reader_keeps_its_default_too() -> None:
    was, now = (rec(field("b", default=each)) for each in (0, 1))
    olds = versions(BARE, beside(field("b", default=0)))
    found = unfillable("s", record(now), olds, Mode.FULL_TRANSITIVE, agreed=record(was))
    assert [each.rule for each in found] == ["default-changed"]
    assert unfillable("s", record(now), olds, Mode.FULL_TRANSITIVE) == EMPTY
