"""Golden bytes for the newest version of a message, of a value that has something in every field."""

import base64
from collections.abc import Mapping
from typing import Any

from schemas.contracts import Golden, avsc, goldens
from schemas.json_form import JsonForm

TEXTS = (
    "01a20999-13c2-7477-bc0d-000000000001",
    "2026-11-23T18:09:16.738443Z",
    "2026-11-23T18:09:16.738443",
    "2026-11-23T18:09:16.738Z",
    "2026-11-23T18:09:16.738",
    "2026-11-23",
    "18:09:16.738443",
    "18:09:16.738",
    "12.5",
    "12",
    "0",
)
"""Values of logical types, each tried until one fits."""
PLAIN = {
    "null": None,
    "boolean": True,
    "int": 7,
    "long": 7,
    "float": 1.5,
    "double": 1.5,
    "bytes": "AAE=",
}


def next_golden(name: str, value: Any = None) -> Golden | None:
    """Return golden bytes for a message as its schema is now; None when there are some of that very schema.

    Raises:
        FormError: the value does not fit the schema.
        LookupError: there is no such message.
    """
    document = avsc(name)
    known = [golden for golden in goldens() if golden.message == name]
    if any(golden.schema == document for golden in known):
        return None
    form = JsonForm(document)
    datum = form.write(sample(document) if value is None else value)
    return Golden(name, len(known) + 1, document, datum, form.read(datum))


def sample(document: Mapping[str, Any]) -> Any:
    """Return a value, as JSON, that fits a schema: no field is empty or null where it need not be."""
    form = JsonForm(document)
    return _sample(form, form.root, form.name)


def _sample(form: JsonForm, schema: Any, name: str) -> Any:
    node = form.resolved(schema)
    if isinstance(node, list):
        branch = next(each for each in node if each != "null")
        return {form.type_name(branch): _sample(form, branch, name)}
    match node["type"]:
        case "record" | "error":
            return {
                each["name"]: _sample(form, each["type"], each["name"]) for each in node["fields"]
            }
        case "array":
            return [_sample(form, node["items"], name)]
        case "map":
            return {name: _sample(form, node["values"], name)}
    return _scalar(form, node, name)


def _scalar(form: JsonForm, node: Any, name: str) -> Any:
    texts = TEXTS if "logicalType" in node else ()
    nothing = base64.b64encode(bytes(node.get("size", 0))).decode()
    symbols = node.get("symbols", ())[-1:]
    candidates = (*texts, *symbols, PLAIN.get(node["type"], name), nothing)
    return next(each for each in candidates if form.fits(node, each))
