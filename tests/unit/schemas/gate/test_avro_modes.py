"""The compatibility modes, and the sentences in which a refusal is told."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from schemas.contracts import avsc
from schemas.gate.avro.parse import parse
from schemas.gate.modes import Mode, Version, compare

ORDER = "orders.OrderCreated"
Edit = Callable[[dict[str, Any]], None]


def edited(*edits: Edit) -> dict[str, Any]:
    document = copy.deepcopy(avsc(ORDER))
    for edit in edits:
        edit(document)
    return document


def field(document: dict[str, Any], name: str) -> dict[str, Any]:
    fields: list[dict[str, Any]] = document["fields"]
    return next(each for each in fields if each["name"] == name)


def add(name: str, type_: Any = "string", **more: Any) -> Edit:
    return lambda document: document["fields"].append({"name": name, "type": type_} | more)


def remove(name: str) -> Edit:
    return lambda document: document["fields"].remove(field(document, name))


def change(field_name: str, **more: Any) -> Edit:
    return lambda document: field(document, field_name).update(more)


def annotate(field_name: str, **more: Any) -> Edit:
    return lambda document: field(document, field_name)["type"].update(more)


def line(**more: Any) -> Edit:
    return lambda document: field(document, "lines")["type"]["items"].update(more)


def said(mode: Mode, new: dict[str, Any], *olds: dict[str, Any]) -> list[str]:
    versions = [Version(f"version {n}", parse(old)) for n, old in enumerate(olds, start=1)]
    return [str(each) for each in compare(ORDER, parse(new), versions, mode)]


def enum(*symbols: str, **more: Any) -> dict[str, Any]:
    return {"type": "enum", "name": "Channel", "symbols": [*symbols]} | more


SENTENCES = [
    (
        Mode.FULL_TRANSITIVE,
        [add("gift")],
        "/fields/8 gift: added without a default; a consumer that reads old events cannot fill it. Give it a default",
    ),
    (
        Mode.FULL_TRANSITIVE,
        [remove("total")],
        (
            "/fields/4 total: removed, though it had no default; a consumer that still has the old schema"
            " cannot fill it. Put it back; only a field that has a default in every older schema can go"
        ),
    ),
    (
        Mode.BACKWARD,
        [change("total", name="amount")],
        (
            "/fields/4 amount: renamed from total to amount; a consumer that reads old events finds no amount."
            " Give it the alias total; if it is another field, a default, and take total away in a later change"
        ),
    ),
    (
        Mode.FORWARD,
        [change("total", name="amount", aliases=["total"])],
        (
            "/fields/4 total: renamed from total to amount; a consumer that still has the old schema finds no total."
            " Put total back and add amount beside it with a default; an alias helps only consumers that have the new"
            " schema"
        ),
    ),
    (
        Mode.FULL,
        [change("total", name="amount")],
        (
            "/fields/4 amount: renamed from total to amount; a consumer that reads old events finds no amount, and a"
            " consumer that still has the old schema finds no total. Put total back and add amount beside it with a"
            " default; an alias helps only consumers that have the new schema"
        ),
    ),
    (
        Mode.FULL,
        [change("customer_id", type="long")],
        (
            "/fields/1/type customer_id: changed from string to long; a consumer that reads old events cannot"
            " take string for long, and a consumer that still has the old schema cannot take long for string."
            " Keep string, or put the long into a new field with a default"
        ),
    ),
    (
        Mode.FULL,
        [change("customer_id", type=["null", "string"])],
        (
            "/fields/1/type/0 customer_id: now allows null; a consumer that still has the old schema cannot read it."
            " Take null out, or allow it in a new field with a default"
        ),
    ),
    (
        Mode.FULL,
        [annotate("total", scale=2)],
        (
            "/fields/4/type total: changed from decimal(19, 4) to decimal(19, 2); a consumer that reads old events or"
            " still has the old schema may read amounts with the point in the wrong place, and no error tells. Keep"
            " decimal(19, 4), or put the decimal(19, 2) into a new field with a default"
        ),
    ),
    (
        Mode.FULL,
        [annotate("total", precision=21)],
        (
            "/fields/4/type total: changed from decimal(19, 4) to decimal(21, 4); a consumer that still has the old"
            " schema meets numbers with more digits than it provides for. Keep decimal(19, 4), or put the"
            " decimal(21, 4) into a new field with a default"
        ),
    ),
    (
        Mode.FORWARD,
        [annotate("placed_at", logicalType="timestamp-millis")],
        (
            "/fields/5/type placed_at: changed from timestamp-micros to timestamp-millis; a consumer that still"
            " has the old schema may read other times than were meant, and no error tells. Keep"
            " timestamp-micros, or put the timestamp-millis into a new field with a default"
        ),
    ),
    (
        Mode.BACKWARD,
        [change("placed_at", type="long")],
        (
            "/fields/5/type placed_at: changed from timestamp-micros to long; a consumer that reads old events"
            " no longer knows what the long means. Keep timestamp-micros"
        ),
    ),
    (
        Mode.BACKWARD,
        [line(name="Line")],
        (
            "/fields/3/type/items/name lines: type renamed from orders.OrderLine to orders.Line; a consumer"
            " that reads old events does not recognise orders.OrderLine. Give orders.Line the alias orders.OrderLine"
        ),
    ),
    (
        Mode.NONE,
        [add("gift", default=None)],
        (
            "/fields/8/default gift: the default null is not a value of string; a consumer that needs it fails."
            " Give a default that the type allows, or allow the default's type"
        ),
    ),
]


@pytest.mark.parametrize(("mode", "edits", "expected"), SENTENCES)
def test_sentences(mode: Mode, edits: list[Edit], expected: str) -> None:
    assert said(mode, edited(*edits), edited()) == [f"{ORDER} {expected}"]


@pytest.mark.parametrize(
    ("edit", "backward", "forward"),
    [
        (add("gift", default=""), True, True),
        (add("gift", ["null", "string"], default=None), True, True),
        (add("gift"), False, True),
        (remove("total"), True, False),
        (change("total", name="amount"), False, False),
        (change("total", name="amount", aliases=["total"]), True, False),
        (change("customer_id", type="bytes"), True, False),
        (change("customer_id", type=["null", "string"]), True, False),
        (annotate("total", precision=21), True, False),
        (annotate("total", precision=12), False, True),
        (annotate("total", scale=2), False, False),
        (annotate("order_id", logicalType=None), True, False),
        (line(name="Line", aliases=["OrderLine"]), True, False),
        (line(doc="Another doc."), True, True),
    ],
)
def test_modes(*, edit: Edit, backward: bool, forward: bool) -> None:
    def passes(mode: Mode) -> bool:
        return not said(mode, edited(edit), edited())

    assert passes(Mode.NONE)
    assert passes(Mode.BACKWARD) is passes(Mode.BACKWARD_TRANSITIVE) is backward
    assert passes(Mode.FORWARD) is passes(Mode.FORWARD_TRANSITIVE) is forward
    assert passes(Mode.FULL) is passes(Mode.FULL_TRANSITIVE) is (backward and forward)


@pytest.mark.parametrize("mode", Mode)
def test_a_first_version_and_an_unchanged_one_pass(mode: Mode) -> None:
    assert said(mode, edited()) == []
    assert said(mode, edited(), edited(), edited()) == []


def test_only_transitive_modes_look_at_all_versions() -> None:
    first, second = edited(add("gift", "int", default=0)), edited()
    third = edited(add("gift", default="none"))
    assert said(Mode.FULL, third, first, second) == []
    assert said(Mode.FULL_TRANSITIVE, third, first, second) == [
        (
            f"{ORDER} /fields/8/type gift: changed from int to string; a consumer that reads old events cannot"
            " take int for string, and a consumer that still has the old schema cannot take string for int"
            " (version 1). Keep int, or put the string into a new field with a default"
        )
    ]


def test_a_symbol_is_read_by_all_or_has_a_default() -> None:
    old, new = (
        edited(add("channel", enum("WEB", "SHOP"))),
        edited(add("channel", enum("WEB", "APP"))),
    )
    assert said(Mode.FULL, new, old) == [
        (
            f"{ORDER} /fields/8/type/symbols channel: symbols removed: SHOP; a consumer that reads old events"
            " cannot read them. Put them back, or give the enum a default symbol"
        ),
        (
            f"{ORDER} /fields/8/type/symbols channel: symbols added: APP; a consumer that still has the old"
            " schema cannot read them, for its enum has no default. Take them out; an enum can grow only if"
            " every older schema gives it a default symbol"
        ),
    ]
    old, new = (
        edited(add("channel", enum("WEB", other, default="WEB"))) for other in ("SHOP", "APP")
    )
    assert said(Mode.FULL, new, old) == []


def test_every_break_is_told() -> None:
    new = edited(
        add("gift"),
        remove("currency"),
        change("customer_id", type="int"),
        annotate("total", scale=2),
    )
    rules = [
        each.rule
        for each in compare(ORDER, parse(new), [Version("main", parse(edited()))], Mode.FULL)
    ]
    assert sorted(rules) == [
        "decimal-scale-changed",
        "field-added-without-default",
        "field-removed-without-default",
        "type-changed",
    ]


def test_what_breaks_inside_an_optional_record_is_named_there() -> None:
    def optional(*extra: dict[str, Any]) -> dict[str, Any]:
        gift = {
            "type": "record",
            "name": "Gift",
            "fields": [{"name": "to", "type": "string"}, *extra],
        }
        return edited(add("gift", ["null", gift], default=None))

    assert said(Mode.FULL, optional({"name": "note", "type": "string"}), optional()) == [
        (
            f"{ORDER} /fields/8/type/1/fields/1 gift.note: added without a default; a consumer that reads old"
            " events cannot fill it. Give it a default"
        )
    ]
