"""Golden bytes for the newest version of a message, of a value that has something in every field."""

import base64
from collections.abc import Mapping
from typing import Any

from schemas.contracts import Golden, avsc, goldens
from schemas.gate.avro.model import (
    Array,
    Enum,
    Fixed,
    Map,
    Primitive,
    Record,
    Type,
    Union,
    is_plural,
    type_name,
)
from schemas.json_form import FormError, JsonForm

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
    """Return a value, as JSON, that fits a schema: no field is empty or null where it need not be.

    Raises:
        FormError: no value fits, as a record stands within itself without end.
    """
    form = JsonForm(document)
    return _sample(form, form.schema, form.name, frozenset())


def _sample(form: JsonForm, schema: Type, name: str, around: frozenset[Record]) -> Any:
    try:
        return _filled(form, schema, name, around)
    except FormError:
        match schema:
            case Array():
                return []
            case Map():
                return {}
            case Union() if "null" in map(type_name, schema.branches):
                return None
        raise


def _filled(form: JsonForm, schema: Type, name: str, around: frozenset[Record]) -> Any:
    match schema:
        case Record():
            if schema in around:
                raise FormError(f"{schema.name} stands within itself without end")
            within = around | {schema}
            return {
                each.name: _sample(form, each.type, each.name, within) for each in schema.fields
            }
        case Array():
            return [_sample(form, schema.items, name, around)]
        case Map():
            return {name: _sample(form, schema.values, name, around)}
        case Union():
            return _of_union(form, schema, name, around)
    return _scalar(form, schema, name)


def _of_union(form: JsonForm, union: Union, name: str, around: frozenset[Record]) -> Any:
    others = [branch for branch in union.branches if type_name(branch) != "null"]
    for branch in others:
        try:
            value = _sample(form, branch, name, around)
        except FormError:
            continue
        return {type_name(branch): value} if is_plural(union) else value
    raise FormError(f"{name} has no value that ends")


def _scalar(form: JsonForm, schema: Primitive | Enum | Fixed, name: str) -> Any:
    match schema:
        case Enum():
            candidates: tuple[Any, ...] = schema.symbols[-1:]
        case Fixed():
            candidates = (base64.b64encode(bytes(schema.size)).decode(),)
        case _:
            candidates = (PLAIN.get(schema.kind, name),)
    if not isinstance(schema, Enum) and schema.logical:
        candidates = (*TEXTS, *candidates)
    return next(each for each in candidates if form.fits(schema, each))
