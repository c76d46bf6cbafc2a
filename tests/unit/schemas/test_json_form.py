"""Avro as JSON and back: the same bytes for every schema of ours and for all that Avro knows, and clear refusals."""

import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.contracts import avsc, goldens
from schemas.datum import DatumReader, UndecodableError
from schemas.gate.avro.parse import record as parsed
from schemas.json_form import FormError, JsonForm
from schemas.messages import ALL
from schemas.samples import sample
from tests.examples import times

OURS = sorted({message.NAME for message in ALL})


def record(*types: Any) -> dict[str, Any]:
    fields = [{"name": f"f{number}", "type": each} for number, each in enumerate(types)]
    return {"type": "record", "name": "a.Record", "fields": fields}


def logical(kind: str, logical_type: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "logicalType": logical_type, **more}


FIXED = {"type": "fixed", "name": "a.Four", "size": 4}
COLOUR = {"type": "enum", "name": "a.Colour", "symbols": ["red", "blue"]}
CHAIN = {
    "type": "record",
    "name": "Chain",
    "fields": [{"name": "colour", "type": "Colour"}, {"name": "next", "type": ["null", "Chain"]}],
}
EVERYTHING = record(
    "null",
    "boolean",
    "int",
    "long",
    "float",
    "double",
    "bytes",
    "string",
    FIXED,
    COLOUR,
    {"type": "array", "items": {"type": "map", "values": "a.Four"}},
    CHAIN,
    ["null", "string"],
    ["string", "null"],
    ["int", "long", "float", "double", "string", "bytes", "a.Colour", "a.Four", "Chain"],
    ["null", "int", {"type": "array", "items": ["null", "long", "string"]}],
    logical("bytes", "decimal", precision=19, scale=4),
    logical("fixed", "decimal", precision=12, scale=2, name="a.Price", size=6),
    logical("string", "uuid"),
    logical("fixed", "uuid", name="a.Id", size=16),
    logical("int", "date"),
    logical("int", "time-millis"),
    logical("long", "time-micros"),
    *(logical("long", f"timestamp-{unit}") for unit in ("millis", "micros", "nanos")),
    *(logical("long", f"local-timestamp-{unit}") for unit in ("millis", "micros", "nanos")),
    logical("int", "furlongs"),
    ["null", logical("bytes", "decimal", precision=4), logical("string", "uuid")],
)


def values_of(schema: Any, named: dict[str, Any]) -> st.SearchStrategy[Any]:  # noqa: PLR0911
    """Return data of a schema as fastavro takes them, logical types left out where they are numbers."""
    if isinstance(schema, list):
        return st.one_of(*(_of_branch(branch, named) for branch in schema))
    if isinstance(schema, str):
        if schema in named:
            return st.deferred(lambda: values_of(named[schema], named))
        schema = {"type": schema}
    if "name" in schema:
        named[schema["name"]] = named[schema["name"].rpartition(".")[2]] = schema
        named[f"a.{schema['name']}"] = schema
    integers = {"int": 2**31, "long": 2**63}
    kind, name = schema["type"], schema.get("logicalType")
    if name == "decimal":
        return _decimals(schema)
    if name == "uuid" and kind == "string":  # of fixed ones fastavro knows nothing
        return st.uuids()
    if kind in integers:
        return st.integers(-integers[kind], integers[kind] - 1)
    simple: dict[str, st.SearchStrategy[Any]] = {
        "null": st.none(),
        "boolean": st.booleans(),
        "float": st.floats(width=32, allow_nan=False),
        "double": st.floats(allow_nan=False),
        "bytes": st.binary(max_size=9),
        "string": st.text(max_size=9),
    }
    match kind:
        case "fixed":
            return st.binary(min_size=schema["size"], max_size=schema["size"])
        case "enum":
            return st.sampled_from(schema["symbols"])
        case "array":
            return st.lists(values_of(schema["items"], named), max_size=3)
        case "map":
            return st.dictionaries(st.text(max_size=3), values_of(schema["values"], named))
        case "record":
            fields = {field["name"]: values_of(field["type"], named) for field in schema["fields"]}
            return st.fixed_dictionaries(fields)
    return simple[kind]


def _of_branch(branch: Any, named: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return data that name the branch, so that each is written as what it was meant to be."""
    values = values_of(branch, named)
    if branch == "null":
        return values
    kind = branch if isinstance(branch, str) else branch.get("name", branch["type"])
    full = f"a.{kind}" if kind == "Chain" else kind
    return values.map(lambda value: (full, value))


def _decimals(schema: dict[str, Any]) -> st.SearchStrategy[Decimal]:
    bound = 10 ** schema["precision"] - 1
    scale = schema.get("scale", 0)
    return st.integers(-bound, bound).map(lambda number: _decimal(number, scale))


def _decimal(number: int, scale: int) -> Decimal:
    return Decimal((int(number < 0), tuple(map(int, str(abs(number)))), -scale))


def unlogical(schema: Any) -> Any:
    """Leave numbers numbers: what is written is then any number, also one without a date."""
    if isinstance(schema, list):
        return [unlogical(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema["type"] in {"int", "long"}:
        return schema["type"]
    inner = {key: unlogical(schema[key]) for key in ("items", "values") if key in schema}
    if "fields" in schema:
        inner["fields"] = [f | {"type": unlogical(f["type"])} for f in schema["fields"]]
    return schema | inner


def written(schema: dict[str, Any], datum: Any) -> bytes:
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(unlogical(schema)), datum)
    return buffer.getvalue()


def through_json(form: JsonForm, data: bytes) -> bytes:
    text = json.dumps(form.read(data), allow_nan=False)
    return form.write(json.loads(text, parse_float=Decimal))


@pytest.mark.parametrize("name", OURS)
@times(0.2)  # each type that they are made of is tried below, in every place
@given(st.data())
def test_every_message_of_ours_comes_back_the_same(name: str, data: st.DataObject) -> None:
    schema = avsc(name)
    in_full: Any = fastavro.parse_schema(schema)  # with the names by which branches are called
    bytes_ = written(schema, data.draw(values_of(in_full, {})))
    assert through_json(JsonForm(schema), bytes_) == bytes_


@given(values_of(EVERYTHING, {}))
def test_everything_that_avro_knows_comes_back_the_same(datum: Any) -> None:
    data = written(EVERYTHING, datum)
    assert through_json(JsonForm(EVERYTHING), data) == data


def test_golden_bytes_come_back_the_same() -> None:
    for golden in goldens():
        assert through_json(JsonForm(golden.schema), golden.datum) == golden.datum


@pytest.mark.parametrize(
    ("type_", "value", "shown"),
    [
        (logical("bytes", "decimal", precision=19, scale=4), b"\x01\xe8\x48", "12.5000"),
        (logical("bytes", "decimal", precision=19, scale=4), b"\xff", "-0.0001"),
        (logical("bytes", "decimal", precision=4), b"\x00", "0"),
        (logical("long", "timestamp-micros"), 1_769_862_600_000_001, "2026-01-31T12:30:00.000001+00:00"),
        (logical("long", "timestamp-millis"), -1, "1969-12-31T23:59:59.999+00:00"),
        (logical("long", "timestamp-nanos"), 1, "1970-01-01T00:00:00.000000001+00:00"),
        (logical("long", "local-timestamp-micros"), 0, "1970-01-01T00:00:00"),
        (logical("long", "timestamp-micros"), 2**62, 2**62),
        (logical("int", "date"), 20_484, "2026-01-31"),
        (logical("int", "time-millis"), 45_000_500, "12:30:00.500"),
        ("bytes", b"\x00\xff", "AP8="),
        ("double", float("-inf"), "-Infinity"),
        (["null", "long"], None, None),
        (["null", "long"], 7, 7),
        (["null", "long", "string"], ("string", "7"), {"string": "7"}),
    ],
)  # fmt: skip
def test_what_values_look_like(type_: Any, value: Any, shown: Any) -> None:
    data = written(unplain(record(type_)), {"f0": value})
    assert JsonForm(record(type_)).read(data) == {"f0": shown}
    assert through_json(JsonForm(record(type_)), data) == data


def unplain(schema: dict[str, Any]) -> dict[str, Any]:
    """Take logical types off, so that a test writes what Avro itself holds."""
    [field] = schema["fields"]
    kind = field["type"]
    return schema | {"fields": [field | {"type": kind["type"] if isinstance(kind, dict) else kind}]}


MONEY = logical("bytes", "decimal", precision=5, scale=2)
INSTANT = logical("long", "timestamp-millis")


@pytest.mark.parametrize(
    ("type_", "value", "sentence"),
    [
        ("int", "7", 'f0 should be a whole number of 32 bits, not "7"'),
        ("int", 2**31, "f0 should be a whole number of 32 bits, not 2147483648"),
        ("int", True, "f0 should be a whole number of 32 bits, not true"),
        ("long", Decimal("2.0"), "f0 should be a whole number of 64 bits, not 2.0"),
        ("boolean", 1, "f0 should be true or false, not 1"),
        ("string", 7, "f0 should be text, not 7"),
        ("string", None, "f0 should be text, not null"),
        ("string", "\ud800", "f0 holds half of a surrogate pair, which is no text"),
        ("float", Decimal("1e39"), "f0 should be a smaller number than 1E+39"),
        ("double", Decimal("1e999"), "f0 should be a smaller number than 1E+999"),
        ("bytes", "€", 'f0 should be bytes in base64, not "€"'),
        (FIXED, "AP8=", "f0 should be 4 bytes in base64, not 2"),
        (COLOUR, "green", 'f0 should be one of red, blue, not "green"'),
        (MONEY, "1.005", 'f0 should be a decimal of at most 5 digits, 2 of them after the point, not "1.005"'),
        (MONEY, "1000.00", 'f0 should be a decimal of at most 5 digits, 2 of them after the point, not "1000.00"'),
        (MONEY, "1e99999", 'f0 should be a decimal of at most 5 digits, 2 of them after the point, not "1e99999"'),
        (MONEY, "NaN", 'f0 should be a decimal of at most 5 digits, 2 of them after the point, not "NaN"'),
        (logical("string", "uuid"), "4", 'f0 should be a UUID, not "4"'),
        (logical("int", "date"), "2026-02-30", 'f0 should be a date such as 2026-01-31, not "2026-02-30"'),
        (logical("int", "date"), 20_484, "f0 should be a date such as 2026-01-31, not 20484"),
        (INSTANT, "2026-01-31T12:30:00",
         'f0 should be a time such as 2026-01-31T12:30:00Z, with its offset from UTC, not "2026-01-31T12:30:00"'),
        (INSTANT, "2026-01-31T12:30:00.0001Z", "f0 should have at most 3 digits after the seconds, not .0001"),
        (logical("long", "timestamp-nanos"), "9999-01-01T00:00:00Z",
         "f0 should be a whole number of 64 bits, not 253370764800000000000"),
        (["null", "int"], "x", 'f0 should be a whole number of 32 bits, not "x"'),
        (["int", "string"], 5, "f0 should be an object whose only member is one of int, string, not 5"),
        (["int", "string"], {"int": "x"}, 'f0.int should be a whole number of 32 bits, not "x"'),
        ({"type": "array", "items": "int"}, [1, None], "f0.1 should be a whole number of 32 bits, not null"),
        ({"type": "map", "values": "int"}, {"a": "b"}, 'f0.a should be a whole number of 32 bits, not "b"'),
        ({"type": "array", "items": "int"}, {}, "f0 should be a list, not an object"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(type_: Any, value: Any, sentence: str) -> None:
    with pytest.raises(FormError) as refused:
        JsonForm(record(type_)).write({"f0": value})
    assert str(refused.value) == sentence


def test_fields_that_are_missing_or_unknown_are_named() -> None:
    form = JsonForm(avsc("orders.OrderConfirmed"))
    with pytest.raises(FormError, match=r"^order_id is missing; a record has all its fields$"):
        form.write({})
    fields = "order_id payment_id currency total confirmed_at customer_id totl".split()
    value = dict.fromkeys(fields)
    with pytest.raises(FormError, match=r"^totl is no field of orders.OrderConfirmed, which has "):
        form.write(value)
    with pytest.raises(FormError, match=r"^the message should be an object, not a list$"):
        form.write([])


def test_bytes_that_are_no_datum_are_refused() -> None:
    form = JsonForm(avsc("canary.CanaryEmitted"))
    with pytest.raises(FormError, match=r"^not a datum of canary.CanaryEmitted: "):
        form.read(b"\x02")
    with pytest.raises(FormError, match=r"^1 bytes are left over"):
        form.read(b"\x00\x00\x00")


NODE = record(["null", "a.Record"])
FAN = record(
    {"type": "array", "items": "a.Record"}, ["null", {"type": "map", "values": "a.Record"}]
)
HUGE = b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f"  # as a long: 2**62 - 1


@pytest.mark.parametrize("levels", [101, 500, 5_000, 900_000])
@pytest.mark.parametrize("schema", [NODE, FAN])
def test_records_within_themselves_are_read_so_far(schema: dict[str, Any], levels: int) -> None:
    with pytest.raises(FormError, match=r"^not a datum of a\.Record: "):
        JsonForm(schema).read(b"\x02" * levels)
    assert JsonForm(NODE).read(b"\x02" * 99 + b"\0")


@pytest.mark.parametrize("levels", [102, 900])
def test_what_could_not_be_read_again_is_not_written(levels: int) -> None:
    value: Any = None
    for _ in range(levels):
        value = {"f0": value}
    form = JsonForm(NODE)
    with pytest.raises(FormError):
        form.write(value)
    assert form.fits(form.schema, value) == (levels < 900)


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        (COLOUR, b"\x01"),
        (COLOUR, b"\x04"),
        ("boolean", b"\x02"),
        ("int", b"\x80\x80\x80\x80\x10"),
        (logical("int", "date"), b"\x80\x80\x80\x80\x10"),
        (logical("int", "time-millis"), b"\x80\x80\x80\x80\x10"),
        (logical("bytes", "decimal", precision=4), b"\x00"),
        ({"type": "map", "values": "int"}, b"\x04\x02a\x02\x02a\x04\x00"),
        ("string", b"\x02\xff"),
        ("string", HUGE),
        ("bytes", b"\x03"),
        ({"type": "map", "values": "null"}, HUGE + b"\x00"),
        (["null", "int"], b"\x04"),
    ],
)
def test_corrupt_data_are_never_shown_as_good(type_: Any, data: bytes) -> None:
    with pytest.raises(FormError, match=r"^not a datum of a\.Record: "):
        JsonForm(record(type_)).read(data)
    with pytest.raises(UndecodableError):
        DatumReader(parsed(record(type_))).read(data)


@pytest.mark.parametrize(
    "type_",
    [
        logical("bytes", "decimal"),
        logical("bytes", "decimal", precision="4"),
        logical("string", "timestamp-millis"),
        logical("string", "date"),
        logical("fixed", "uuid", name="a.Four", size=4),
        {"type": "string", "logicalType": 7},
        {"type": "string", "logicalType": ["uuid"]},
    ],
)
def test_annotations_that_are_not_valid_count_for_nothing(type_: dict[str, Any]) -> None:
    bare = {key: type_[key] for key in ("type", "name", "size") if key in type_}
    data = b"\x08oh-dear"[: 4 if "size" in type_ else 5]
    shown = JsonForm(record(bare)).read(data)
    assert JsonForm(record(type_)).read(data) == shown
    assert JsonForm(record(type_)).write(shown) == data


@given(st.sampled_from([EVERYTHING, NODE, FAN, *map(avsc, OURS)]), st.binary(max_size=300))
def test_whatever_the_bytes_they_are_shown_or_refused(schema: dict[str, Any], data: bytes) -> None:
    form = JsonForm(schema)
    try:
        shown = form.read(data)
    except FormError:
        with pytest.raises(UndecodableError):
            DatumReader(parsed(schema)).read(data)
    else:
        json.dumps(shown, allow_nan=False)


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (["null", "a.Record"], None),
        (["a.Record", "string"], {"string": "f0"}),
        ({"type": "array", "items": "a.Record"}, []),
        ({"type": "map", "values": ["a.Record"]}, {}),
        (record("a.Record") | {"name": "a.Inner"}, None),
    ],
)
def test_a_sample_ends_where_a_record_stands_within_itself(type_: Any, value: Any) -> None:
    schema = record(type_)
    if value is None and isinstance(type_, dict):
        with pytest.raises(FormError, match=r"a\.Record stands within itself without end"):
            sample(schema)
    else:
        assert sample(schema) == {"f0": value}
        JsonForm(schema).write(sample(schema))


def test_an_id_that_is_none_is_seen_and_can_be_mended() -> None:
    form = JsonForm(avsc("canary.CanaryEmitted"))
    data = b"\x0coh-dea\x00"
    assert form.read(data)["canary_id"] == "oh-dea"
    with pytest.raises(FormError, match=r"^canary_id should be a UUID"):
        form.write(form.read(data))
