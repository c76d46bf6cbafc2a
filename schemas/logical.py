"""Logical types told after the datum instead of with it, which takes half the time.

For each value that has a logical type, fastavro looks up a reader and hands it the schema; that costs more than the
readers do. So a datum is read as if its schema had no logical types, and what has one is then replaced, by functions
that were chosen once for the schema. The datum is the same as fastavro's own.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import partial
from typing import Any

import fastavro
from fastavro.types import Schema as ParsedSchema

from schemas.json_scalars import PRIMITIVES
from schemas.uuids import parse_uuid

Finish = Callable[[Any], Any]
"""Takes a value as it was read, and returns the one that is meant. Containers are changed in place."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def separate(schema: ParsedSchema) -> tuple[ParsedSchema, Finish | None]:
    """Return a schema without its logical types, and the function that puts them on a datum which was read by it.

    Args:
        schema: As `fastavro.parse_schema` returns it.

    Returns:
        The schema itself and None when nothing is to be gained, or when values could not be told apart any more once
        they are read: in a union of several types with a logical type among them, or a record within itself.
    """
    try:
        plain, finish = _Separation().of(schema)
    except _Inseparable:
        return schema, None
    return (schema, None) if finish is None else (fastavro.parse_schema(plain), finish)


class _Inseparable(Exception):  # noqa: N818 - an answer, and no error: such a schema is left to fastavro
    pass


class _Separation:
    """One way through a schema; each part becomes a plain part and, if there is anything to do, a function."""

    def __init__(self) -> None:
        self._named: dict[str, Finish | None] = {}

    def of(self, schema: Any) -> tuple[Any, Finish | None]:
        if isinstance(schema, list):
            return self._of_union(schema)
        if isinstance(schema, str):
            return schema, self._of_reference(schema)
        plain, finish = self._of_type(schema)
        if "name" in schema:
            self._named[schema["name"]] = finish
        return plain, finish

    def _of_type(self, schema: Mapping[str, Any]) -> tuple[Any, Finish | None]:
        kind = schema["type"]
        if (make := FINISHERS.get(f"{kind}-{schema.get('logicalType')}")) is not None:
            return {key: schema[key] for key in schema if key != "logicalType"}, make(schema)
        if kind == "record":
            return self._of_record(schema)
        if kind in CONTAINERS:
            part, finish_all = CONTAINERS[kind]
            plain, finish = self.of(schema[part])
            return {**schema, part: plain}, finish and partial(finish_all, finish)
        return schema, None

    def _of_record(self, schema: Mapping[str, Any]) -> tuple[Any, Finish | None]:
        fields: list[dict[str, Any]] = []
        finishes: list[tuple[str, Finish]] = []
        for field in schema["fields"]:
            plain, finish = self.of(field["type"])
            fields.append({**field, "type": plain})
            if finish is not None:
                finishes.append((field["name"], finish))
        bare = {key: schema[key] for key in schema if not key.startswith("__")}
        return {**bare, "fields": fields}, partial(_finish_fields, finishes) if finishes else None

    def _of_union(self, schema: list[Any]) -> tuple[Any, Finish | None]:
        branches = [self.of(branch) for branch in schema]
        finishes = [finish for _, finish in branches if finish is not None]
        if finishes and sum(branch != "null" for branch in schema) > 1:
            raise _Inseparable
        return [plain for plain, _ in branches], (
            partial(_finish_present, finishes[0]) if finishes else None
        )

    def _of_reference(self, name: str) -> Finish | None:
        if name in PRIMITIVES:
            return None
        if name not in self._named:  # a record that is not read to its end yet
            raise _Inseparable
        return self._named[name]


def _finish_fields(finishes: list[tuple[str, Finish]], datum: dict[str, Any]) -> dict[str, Any]:
    for name, finish in finishes:
        datum[name] = finish(datum[name])
    return datum


def _finish_items(finish: Finish, items: list[Any]) -> list[Any]:
    return [finish(item) for item in items]


def _finish_values(finish: Finish, values: dict[str, Any]) -> dict[str, Any]:
    return {key: finish(value) for key, value in values.items()}


def _finish_present(finish: Finish, value: Any) -> Any:
    return None if value is None else finish(value)


def _decimal(schema: Mapping[str, Any]) -> Finish:
    context, scale = Context(prec=schema["precision"]), -schema.get("scale", 0)
    from_bytes, create = int.from_bytes, context.create_decimal

    def finish(data: bytes) -> Decimal:
        return create(from_bytes(data, "big", signed=True)).scaleb(scale, context)

    return finish


def _timestamp(microsecond_units: int) -> Callable[[Mapping[str, Any]], Finish]:
    unit = timedelta(microseconds=microsecond_units)
    return lambda _schema: lambda count: EPOCH + count * unit


CONTAINERS: Mapping[str, tuple[str, Callable[[Finish, Any], Any]]] = {
    "array": ("items", _finish_items),
    "map": ("values", _finish_values),
}

FINISHERS: Mapping[str, Callable[[Mapping[str, Any]], Finish]] = {
    "string-uuid": lambda _schema: parse_uuid,
    "bytes-decimal": _decimal,
    "fixed-decimal": _decimal,
    "long-timestamp-micros": _timestamp(1),
    "long-timestamp-millis": _timestamp(1000),
}
"""Types of values and what finishes them. Those that are missing here stay in the schema, for fastavro to read."""
