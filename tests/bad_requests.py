"""Bodies that no order can come of, each with the answer it deserves."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

FORM = "application/x-www-form-urlencoded"
LINE = {"sku": "book", "quantity": 1, "unit_price": "9.99"}
MISSING = object()
ORDER = {"customer_id": "mallory", "currency": "EUR", "lines": [LINE]}


@dataclass(frozen=True, slots=True, kw_only=True)
class BadRequest:
    """One request, the status of its answer and the pointers of the errors that the answer names."""

    name: str
    body: bytes
    status: int
    path: str = "/v1/orders"
    pointers: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


def _order(name: str, *pointers: str, **changes: Any) -> BadRequest:
    body = json.dumps({**ORDER, **changes}).encode()
    return BadRequest(name=name, body=body, status=422, pointers=pointers)


def _line(name: str, pointer: str, **changes: Any) -> BadRequest:
    return _order(name, pointer, lines=[LINE, {**LINE, **changes}])


def _taxed(name: str, **changes: Any) -> BadRequest:
    line = {**LINE, "tax_rate": "0.19", **changes}
    lines = [{key: value for key, value in line.items() if value is not MISSING}]
    [changed] = changes
    return replace(_order(name, f"#/lines/0/{changed}", lines=lines), path="/v2/orders")


def _raw(name: str, body: str | bytes, *pointers: str, status: int = 400) -> BadRequest:
    data = body.encode() if isinstance(body, str) else body
    return BadRequest(name=name, body=data, status=status, pointers=pointers)


def _price(name: str, literal: str, *pointers: str, status: int = 422) -> BadRequest:
    """A price as a JSON number, spelled in a way that `json.dumps` would not."""
    body = json.dumps(ORDER).replace('"9.99"', literal)
    return _raw(name, body, *pointers, status=status)


def _typed(name: str, **headers: str) -> BadRequest:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    body = json.dumps(ORDER).encode()
    return BadRequest(name=name, body=body, status=415, headers=named)


PRICE = "#/lines/0/unit_price"
ORIGIN = "https://elsewhere.example"

BAD_REQUESTS = (
    _raw("empty body", b""),
    _raw("not JSON", "customer_id=mallory"),
    _raw("broken off", '{"customer_id": "mall'),
    _raw("something behind the end", json.dumps(ORDER) + "{}"),
    _raw("not UTF-8", b'{"customer_id": "\xff"}'),
    _raw("UTF-16", json.dumps(ORDER).encode("utf-16")),
    _raw("byte order mark", b"\xef\xbb\xbf" + json.dumps(ORDER).encode()),
    _raw("deep arrays", "[" * 200_000),
    _raw("deep objects", '{"a":' * 100_000),
    _raw("deep value", json.dumps(ORDER).replace('"9.99"', "[" * 100_000 + "]" * 100_000)),
    _raw("key twice", '{"customer_id": "mallory", "customer_id": "ada"}'),
    _raw("key twice in a line", json.dumps(ORDER).replace('"sku"', '"quantity": 2, "sku"')),
    _raw("raw control character", '{"customer_id": "a\nb"}'),
    _raw("too large", b'"' + b"a" * (1024 * 1024) + b'"', status=413),
    _raw("null", "null", "#", status=422),
    _raw("a list", "[]", "#", status=422),
    _raw("a string", '"order"', "#", status=422),
    _raw("an empty object", "{}", "#/customer_id", "#/currency", "#/lines", status=422),
    _price("NaN", "NaN", status=400),
    _price("Infinity", "-Infinity", status=400),
    _price("price with a huge exponent", "1e400000", PRICE),
    _price("price with a tiny exponent", "1e-400000", PRICE),
    _price("exponent out of all bounds", "1e99999999999999999999", status=400),
    _price("a million digits", "9" * 1_000_000, status=400),
    _price("negative price", "-0.01", PRICE),
    _price("half a cent", "0.005", PRICE),
    _price("price at the limit", "1e15", PRICE),
    _price("price true", "true", PRICE),
    _price("price null", "null", PRICE),
    _line("price as text NaN", "#/lines/1/unit_price", unit_price="NaN"),
    _line("price as text with exponent", "#/lines/1/unit_price", unit_price="1e3"),
    _line("price with underscore", "#/lines/1/unit_price", unit_price="1_0"),
    _line("price in other digits", "#/lines/1/unit_price", unit_price="\u0661"),
    _line("price with comma", "#/lines/1/unit_price", unit_price="9,99"),
    _line("price empty", "#/lines/1/unit_price", unit_price=""),
    _line("price a list", "#/lines/1/unit_price", unit_price=[9]),
    _line("quantity zero", "#/lines/1/quantity", quantity=0),
    _line("quantity negative", "#/lines/1/quantity", quantity=-1),
    _line("quantity above a million", "#/lines/1/quantity", quantity=1_000_001),
    _line("quantity fractional", "#/lines/1/quantity", quantity=1.5),
    _line("quantity as text", "#/lines/1/quantity", quantity="1"),
    _line("quantity true", "#/lines/1/quantity", quantity=True),
    _line("sku empty", "#/lines/1/sku", sku=""),
    _line("sku too long", "#/lines/1/sku", sku="x" * 129),
    _line("sku with NUL", "#/lines/1/sku", sku="a\0b"),
    _line("sku a number", "#/lines/1/sku", sku=7),
    _line("line with an unknown field", "#/lines/1/colour", colour="red"),
    _order("line that is none", "#/lines/0", lines=["book"]),
    _order("no lines", "#/lines", lines=[]),
    _order("501 lines", "#/lines", lines=[LINE] * 501),
    _order("lines an object", "#/lines", lines={}),
    _order(
        "total at the limit",
        "#/lines",
        lines=[{**LINE, "quantity": 1_000_000, "unit_price": "1000000000"}],
    ),
    _order("customer empty", "#/customer_id", customer_id=""),
    _order("customer too long", "#/customer_id", customer_id="x" * 129),
    _order("customer blank", "#/customer_id", customer_id="   "),
    _order("customer with NUL", "#/customer_id", customer_id="\0"),
    _order("customer with a line break", "#/customer_id", customer_id="a\nb"),
    _order("customer half a surrogate pair", "#/customer_id", customer_id="\ud83d"),
    _order("customer a number", "#/customer_id", customer_id=5),
    _order("currency unknown", "#/currency", currency="ABC"),
    _order("currency no longer in use", "#/currency", currency="DEM"),
    _order("currency in small letters", "#/currency", currency="eur"),
    _order("currency without a minor unit", "#/currency", currency="XAU"),
    _order("currency null", "#/currency", currency=None),
    _order("cents of a currency that has none", "#/lines/0/unit_price", currency="JPY"),
    _order("unknown field", "#/colour~1~0%20%C3%A9", **{"colour/~ é": "red"}),
    _order("unknown field half a surrogate pair", "#", **{"\ud83d": 1}),
    _typed("form from another site", content_type=FORM, origin=ORIGIN),
    _typed("text from another site", content_type="text/plain", origin=ORIGIN),
    _typed("form from nowhere", content_type=FORM, origin="null"),
    _typed("text", content_type="text/plain"),
    _typed("multipart", content_type="multipart/form-data; boundary=x"),
    _typed("XML", content_type="application/xml"),
    _order("tax in version 1", "#/lines/0/tax_rate", lines=[{**LINE, "tax_rate": "0.19"}]),
    _taxed("no tax rate", tax_rate=MISSING),
    _taxed("tax rate in percent", tax_rate="19"),
    _taxed("tax rate above one", tax_rate="1.000001"),
    _taxed("tax rate negative", tax_rate="-0.19"),
    _taxed("tax rate too fine", tax_rate="0.0000001"),
    _taxed("tax rate with a percent sign", tax_rate="19%"),
    _taxed("tax rate null", tax_rate=None),
    _taxed("tax rate true", tax_rate=True),
    _taxed("tax reckoned by the client", tax="1.90"),
    _taxed("price too fine with tax", unit_price="0.005"),
    replace(
        _order(
            "total at the limit with tax only",
            "#/lines",
            lines=[{**LINE, "quantity": 10**6, "unit_price": "900000000", "tax_rate": "0.19"}],
        ),
        path="/v2/orders",
    ),
)
