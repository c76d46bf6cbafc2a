"""Avro records as JSON that people read and edit, and back to the same bytes, whatever the schema.

    null, boolean, int, long   as JSON has them
    float, double              a number; "NaN", "Infinity" and "-Infinity" as text
    string, enum               text
    bytes, fixed               base64
    decimal                    text such as "12.5000"; a number is taken too
    uuid                       text
    date, time, timestamp      ISO 8601; beyond the year 9999 the number itself
    array, map                 a list, an object
    record                     an object with all its fields
    union                      null, or the form of the one other type; where there are several, an object whose only
                               member names the type, as in Avro's own JSON encoding

Avro's resolution is left out: what is read and written is one schema, the writer's.
"""

import io
from functools import cached_property
from typing import Any

from schemas.gate.avro.model import Array, Map, Record, Type, Union, is_plural, type_name
from schemas.gate.avro.parse import record
from schemas.json_logical import scalar_of
from schemas.json_scalars import PRIMITIVES, Scalar, UnfitError, told
from schemas.wire import KEY, VALUE, Wire

Path = tuple[str, ...]


class FormError(ValueError):
    """JSON does not fit a schema; the text is a sentence that names the place.

    Args:
        path: The place; None when it is none within the JSON.
    """

    def __init__(self, text: str, path: Path | None = None) -> None:
        super().__init__(text)
        self.path = path


class JsonForm:
    """Reads and writes the data of one schema.

    Raises:
        MalformedSchemaError: the document is no schema of a record.
    """

    def __init__(self, document: Any) -> None:
        self.schema = record(document)
        self._reading = Wire(self.schema)

    @property
    def name(self) -> str:
        return self.schema.name

    @cached_property
    def _writing(self) -> Wire:
        return Wire(self.schema, deepest=None)

    def read(self, data: bytes) -> Any:
        """Return what a datum says.

        Raises:
            FormError: the bytes are no datum of the schema, or more than one.
        """
        buffer = io.BytesIO(data)
        try:
            shown = self._show(self.schema, self._reading.read(buffer))
        except Exception as error:  # fastavro raises whatever the corrupt bytes lead it to
            raise FormError(f"not a datum of {self.name}: {error!r}") from error
        rest = len(data) - buffer.tell()
        if rest:
            raise FormError(f"{rest} bytes are left over after a datum of {self.name}")
        return shown

    def write(self, value: Any) -> bytes:
        """Return the datum that says something.

        Args:
            value: As `read` returns it; numbers with a point may be `decimal.Decimal`.
        """
        try:
            plain = self._take(self.schema, value, ())
        except RecursionError as error:
            raise FormError("the message is nested too deeply to be read again") from error
        buffer = io.BytesIO()
        self._writing.write(buffer, plain)
        data = buffer.getvalue()
        if self._reading.is_recursive:
            self.read(data)
        return data

    def fits(self, schema: Type, value: Any) -> bool:
        try:
            self._take(schema, value, ())
        except (FormError, RecursionError):
            return False
        return True

    def _show(self, schema: Type, plain: Any) -> Any:
        match schema:
            case Record():
                return {
                    each.name: self._show(each.type, plain[each.name]) for each in schema.fields
                }
            case Array():
                return [self._show(schema.items, each) for each in plain]
            case Map():
                shown = {each[KEY]: self._show(schema.values, each[VALUE]) for each in plain}
                if len(shown) < len(plain):
                    raise ValueError("a map has a key twice")
                return shown
            case Union():
                return self._show_union(schema, plain)
        return scalar_of(schema).show(plain)

    def _show_union(self, union: Union, plain: Any) -> Any:
        if plain is None:
            return None
        if not is_plural(union):
            return self._show(without_null(union), plain)
        name, held = plain
        branch = union.branches[self._reading.index[name]]
        return {type_name(branch): self._show(branch, held[VALUE])}

    def _take(self, schema: Type, value: Any, path: Path) -> Any:
        match schema:
            case Record():
                return self._take_record(schema, value, path)
            case Array():
                items = _require(list, "a list", value, path)
                return [
                    self._take(schema.items, each, (*path, str(number)))
                    for number, each in enumerate(items)
                ]
            case Map():
                entries = _require(dict, "an object", value, path)
                return [
                    {
                        KEY: _fitting(PRIMITIVES["string"], key, path),
                        VALUE: self._take(schema.values, each, (*path, key)),
                    }
                    for key, each in entries.items()
                ]
            case Union():
                return self._take_union(schema, value, path)
        return _fitting(scalar_of(schema), value, path)

    def _take_record(self, schema: Record, value: Any, path: Path) -> Any:
        given = _require(dict, "an object", value, path)
        fields = {field.name: field.type for field in schema.fields}
        if missing := [name for name in fields if name not in given]:
            raise FormError(
                f"{place((*path, missing[0]))} is missing; a record has all its fields", path
            )
        if unknown := [name for name in given if name not in fields]:
            raise FormError(
                f"{place((*path, unknown[0]))} is no field of {schema.name}, which has {', '.join(fields)}",
                (*path, unknown[0]),
            )
        return {name: self._take(kind, given[name], (*path, name)) for name, kind in fields.items()}

    def _take_union(self, union: Union, value: Any, path: Path) -> Any:
        known = {
            type_name(branch): (name, branch)
            for name, branch in zip(self._writing.branches[union], union.branches, strict=True)
        }
        if known.pop("null", None) and value is None:
            return None
        if len(known) == 1:
            [(name, branch)] = known.values()
            return name, self._take(branch, value, path)
        if not isinstance(value, dict) or len(value) != 1 or not known.keys() & value.keys():
            raise FormError(
                f"{place(path)} should be an object whose only member is one of {', '.join(known)}, not {told(value)}",
                path,
            )
        [(tag, inner)] = value.items()
        name, branch = known[tag]
        return name, {VALUE: self._take(branch, inner, (*path, tag))}


def without_null(schema: Type) -> Type:
    """Return the one type that a union has besides null; what is no such union as it is."""
    if not isinstance(schema, Union):
        return schema
    others = [branch for branch in schema.branches if type_name(branch) != "null"]
    return others[0] if len(others) == 1 else schema


def place(path: Path) -> str:
    """Return a place within a document, such as `lines.0.quantity`."""
    return ".".join(path) or "the message"


def _fitting(scalar: Scalar, value: Any, path: Path) -> Any:
    try:
        return scalar.take(value)
    except UnfitError as error:
        raise FormError(f"{place(path)} {error}", path) from None


def _require(kind: type[Any], words: str, value: Any, path: Path) -> Any:
    if not isinstance(value, kind):
        raise FormError(f"{place(path)} should be {words}, not {told(value)}", path)
    return value
