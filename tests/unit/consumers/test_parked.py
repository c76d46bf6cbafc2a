"""Working on parked messages by hand: how they are named, chosen and changed."""

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.runtime.parked.assignments import Assignment, changed
from consumers.runtime.parked.message import RecordPosition, key_of, key_text
from consumers.runtime.parked.payload import Payloads, differences, first_bytes, parse_json
from consumers.runtime.parked.selection import Selection, parse_age
from schemas.codec import HEADER, MAGIC
from schemas.contracts import avsc
from schemas.datum import UndecodableError
from schemas.json_form import FormError, JsonForm
from schemas.registry import SchemaStore

ORDER = JsonForm(avsc("orders.OrderCreated"))
LINE = {
    "sku": "tea",
    "quantity": 2,
    "unit_price": "4.5000",
    "tax_rate": None,
    "tax": None,
    "digital": False,
}
PLACED = {
    "order_id": "0199d2b4-5a7e-7c1b-8f3e-1d2c3b4a5968",
    "customer_id": "ada",
    "currency": "BRK",
    "lines": [LINE, LINE | {"sku": "cup"}],
    "total": "18.0000",
    "placed_at": "2026-01-31T12:30:00.000001+00:00",
    "fulfilment": "choreography",
    "pricing": None,
}


def set_(*texts: str, value: Any = PLACED, form: JsonForm = ORDER) -> Any:
    return changed(form, value, [Assignment.parse(text) for text in texts])


@pytest.mark.parametrize(
    ("text", "age"),
    [
        ("45s", timedelta(seconds=45)),
        ("30m", timedelta(minutes=30)),
        ("2h", timedelta(hours=2)),
        ("3d", timedelta(days=3)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_ages_are_a_number_and_a_unit(text: str, age: timedelta) -> None:
    assert parse_age(text) == age


@pytest.mark.parametrize("text", ["", "2", "h", "2 h", "-2h", "2.5h", "2y", "1234567h", "٢h"])
def test_what_is_no_age_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no age such as 45s"):
        parse_age(text)


def test_a_place_is_topic_partition_offset() -> None:
    place = RecordPosition.parse("order.events/3/17")
    assert place == ("order.events", 3, 17)
    assert str(place) == "order.events/3/17"


@pytest.mark.parametrize(
    "text",
    ["", "order.events", "order.events/3", "order.events/3/x", "/3/17", "a/b/3/17", "a/-1/7"],
)
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no place such as order\.events/3/17"):
        RecordPosition.parse(text)


@pytest.mark.parametrize(
    ("key", "text"),
    [(b"ada", "ada"), (b"\x00\xff", "\\x00ff"), (b"a\nb", "\\x610a62"), (b"\\x61", "\\x5c783631")],
)
def test_keys_that_cannot_be_printed_are_hexadecimal(key: bytes, text: str) -> None:
    assert key_text(key) == text
    assert key_text(None) is None


@given(st.binary())
def test_a_key_is_found_again_by_its_text(key: bytes) -> None:
    assert key_of(key_text(key) or "") == key


def test_a_selection_of_nothing_in_particular_is_everything() -> None:
    assert Selection().is_everything
    assert Selection(waiting=True).is_everything
    assert not Selection(partition=0).is_everything
    assert not Selection(consumer="payments-worker").is_everything


def test_single_places_are_set() -> None:
    after = set_(
        "currency=EUR", "lines.1.quantity=3", "lines.0.unit_price=4.75", "lines.0.tax=null"
    )
    assert after["currency"] == "EUR"
    assert after["lines"][1]["quantity"] == 3
    assert after["lines"][0]["unit_price"] == Decimal("4.75")
    assert ORDER.read(ORDER.write(after))["lines"][0]["unit_price"] == "4.7500"
    assert PLACED["currency"] == "BRK"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("customer_id=ada", "ada"),
        ("customer_id=123", "123"),
        ('customer_id="123"', "123"),
        ("customer_id=true", "true"),
        ('customer_id="null"', "null"),
        ("customer_id=", ""),
        ("customer_id=a=b", "a=b"),
        ("customer_id={", "{"),
        ("customer_id=" + "1" * 5000, "1" * 5000),
        ("total=12.50", Decimal("12.50")),
        ('total="12.50"', "12.50"),
        ("placed_at=2026-01-31T12:30:00Z", "2026-01-31T12:30:00Z"),
    ],
)
def test_a_value_is_json_or_text_whichever_fits(text: str, value: Any) -> None:
    after = set_(text)
    assert after[text.partition("=")[0]] == value
    ORDER.write(after)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("curency=EUR", "curency is no field of orders.OrderCreated, which has order_id, customer_id, "),
        ("lines.0.qty=1", "lines.0.qty is no field of orders.OrderLine, which has sku, "),
        ("lines.2.quantity=1", "lines has 2 items, counted from 0, and no item 2"),
        ("lines.-1.quantity=1", "lines has 2 items, counted from 0, and no item -1"),
        (f"lines.{'1' * 5000}.quantity=1", "lines has 2 items, counted from 0, and no item 111"),
        ("lines.x=1", "lines has 2 items, counted from 0, and no item x"),
        ("currency.code=EUR", "currency is a single value and has no code"),
        ("lines.0.tax.amount=1", "lines.0.tax is null; give it a value as a whole, in JSON"),
        ("currency=null", "currency should be text, not null"),
        ("lines.0.quantity=many", 'lines.0.quantity should be a whole number of 32 bits, not "many"'),
        ("lines.0.quantity=1e" + "9" * 20, "lines.0.quantity should be a whole number of 32 bits, not "),
        ("total=1." + "0" * 5000, "total should be "),
        ("lines.0.quantity=1.5", "lines.0.quantity should be a whole number of 32 bits, not 1.5"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_named(text: str, sentence: str) -> None:
    with pytest.raises(FormError) as refused:
        ORDER.write(set_(text))
    assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize("text", ["currency", "=EUR", ".=1", "lines..quantity=1"])
def test_what_is_no_assignment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no path=value such as currency=EUR"):
        Assignment.parse(text)


def test_maps_and_unions_of_several_types_are_stepped_into() -> None:
    form = JsonForm(
        {
            "type": "record",
            "name": "a.Labelled",
            "fields": [
                {"name": "labels", "type": {"type": "map", "values": "int"}},
                {"name": "who", "type": ["null", "long", {"type": "array", "items": "string"}]},
            ],
        }
    )
    value = {"labels": {"a": 1}, "who": {"array": ["x"]}}
    assert set_("labels.a=2", "who.array.0=y", value=value, form=form) == {
        "labels": {"a": 2},
        "who": {"array": ["y"]},
    }
    for text, sentence in {
        "labels.b=2": "labels has no entry b",
        "who.long=2": "who is of type array, not long",
    }.items():
        with pytest.raises(FormError, match=sentence):
            set_(text, value=value, form=form)


def test_json_keeps_every_digit_and_refuses_what_is_doubtful() -> None:
    assert parse_json('{"a": 0.10, "b": 1e400}') == {"a": Decimal("0.10"), "b": Decimal("1e400")}
    with pytest.raises(FormError, match=r"^a stands twice in one object$"):
        parse_json('{"a": 1, "a": 2}')
    with pytest.raises(FormError, match=r'^this is no JSON: write "NaN" in quotes$'):
        parse_json('{"a": NaN}')
    for text in ("{", "[" * 100_000, "9" * 5000, "1e" + "9" * 20):
        with pytest.raises(FormError, match=r"^this is no JSON: "):
            parse_json(text)


def test_differences_are_named_by_place() -> None:
    after = set_("currency=EUR", "lines.1.quantity=3")
    assert list(differences(PLACED, after)) == [
        ("currency", "BRK", "EUR"),
        ("lines.1.quantity", 2, 3),
    ]
    assert list(differences({"a": [1], "b": 1}, {"a": [1, 2], "c": 1})) == [
        ("a", [1], [1, 2]),
        ("b", 1, None),
        ("c", None, 1),
    ]


def test_long_values_are_shown_in_part() -> None:
    assert first_bytes(b"\x00\x01") == "00 01"
    assert first_bytes(bytes(100)).endswith("00 and 52 bytes more")


@pytest.mark.parametrize(
    "schema",
    [
        'syntax = "proto3";',
        '"string"',
        '["null", "string"]',
        '{"type": "object", "properties": {}}',
        '{"type": "record", "name": "a.B", "fields": [{"name": "c", "type": "a.Gone"}]}',
        "[" * 100_000,
        '{"type": "record", "name": "a.Loop", "fields": [{"name": "f", "type": ["null", "a.Loop"]}]}',
    ],
)
def test_bytes_of_any_schema_are_read_or_undecodable(tmp_path: Path, schema: str) -> None:
    store = SchemaStore("http://127.0.0.1:9", tmp_path)
    store.directory.mkdir()
    (store.directory / "7.avsc").write_text(schema)
    with pytest.raises(UndecodableError):
        Payloads(store).read(HEADER.pack(MAGIC, 7) + b"\x02" * 900_000)


@pytest.mark.parametrize("data", [None, b"", b"\0\0", b"\1\0\0\0\7x"])
def test_what_is_not_in_the_wire_format_is_undecodable(tmp_path: Path, data: bytes | None) -> None:
    with pytest.raises(UndecodableError):
        Payloads(SchemaStore("http://127.0.0.1:9", tmp_path)).read(data)
