"""The default of a field: JSON in the schema, a value of the field's type in what is read."""

import math
from typing import Any

from schemas.gate.avro.model import (
    NO_DEFAULT,
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
from schemas.json_scalars import PRIMITIVES, UnfitError, unfit
from schemas.scalars import rounded, scalar


def default_of(schema: Type, default: Any, *, tagged: bool = False) -> Any:
    """Return the value that a default stands for; that of a union may be of any of its types.

    Args:
        tagged: Whether a value of a union of several types comes with the name of its type.

    Raises:
        ValueError: it is no value of the type.
    """
    match schema, default:
        case Union(), _:
            return _of_union(schema, default, tagged=tagged)
        case Array(), list():
            return [default_of(schema.items, each, tagged=tagged) for each in default]
        case Map(), dict():
            return {
                str(PRIMITIVES["string"].take(key)): default_of(schema.values, each, tagged=tagged)
                for key, each in default.items()
            }
        case Record(), dict():
            return _of_record(schema, default, tagged=tagged)
        case Enum(), str() if default in schema.symbols:
            return default
        case ((Primitive() | Fixed()), _):
            read = scalar(schema).read
            plain = _plain(schema, default)
            return read(plain) if read else plain
    raise unfit(str(schema), default)


def _of_union(union: Union, default: Any, *, tagged: bool) -> Any:
    for branch in union.branches:
        try:
            value = default_of(branch, default, tagged=tagged)
        except (ValueError, ArithmeticError):
            continue
        is_tagged = tagged and is_plural(union) and type_name(branch) != "null"
        return (type_name(branch), value) if is_tagged else value
    raise unfit(str(union), default)


def _of_record(record: Record, default: dict[str, Any], *, tagged: bool) -> dict[str, Any]:
    values = {}
    for field in record.fields:
        given = default.get(field.name, field.default)
        if given is NO_DEFAULT:
            raise UnfitError(f"lacks {field.name}")
        values[field.name] = default_of(field.type, given, tagged=tagged)
    return values


def _plain(schema: Primitive | Fixed, default: Any) -> Any:
    """Return a default as its bytes would hold it; bytes stand in a schema as a string of their values."""
    match schema:
        case Fixed() | Primitive(kind="bytes"):
            if not isinstance(default, str):
                raise unfit("a string", default)
            data = default.encode("latin-1")
            if isinstance(schema, Fixed) and len(data) != schema.size:
                raise unfit(f"{schema.size} bytes", default)
            return data
        case Primitive(kind="float" | "double" as kind):
            if type(default) not in {int, float} or not math.isfinite(default):
                raise unfit("a number", default)
            return rounded(default) if kind == "float" else float(default)
        case _:
            return PRIMITIVES[schema.kind].take(default)
