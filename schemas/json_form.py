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
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import fastavro

from schemas.json_logical import scalar_of
from schemas.json_scalars import UnfitError, told

VALUE = "value"

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

    Logical types are taken off the schema, and each type of a union becomes a record of one field: the bytes are the
    same, every value is seen as it was written, and so is which type of a union it is of.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.root: Any = fastavro.parse_schema(dict(document))
        self._named: dict[str, Any] = {}
        self._plain_names: dict[str, str] = {}
        self._branches: dict[int, list[str | None]] = {}
        self._numbers = count()
        self._plain = fastavro.parse_schema(self._plainly(self.root))

    @property
    def name(self) -> str:
        return str(self.root["name"])

    def read(self, data: bytes) -> Any:
        """Return what a datum says.

        Raises:
            FormError: the bytes are no datum of the schema, or more than one.
        """
        buffer = io.BytesIO(data)
        try:
            plain = fastavro.schemaless_reader(buffer, self._plain, None, return_record_name=True)
        except Exception as error:  # fastavro raises whatever the corrupt bytes lead it to
            raise FormError(f"not a datum of {self.name}: {error!r}") from error
        rest = len(data) - buffer.tell()
        if rest:
            raise FormError(f"{rest} bytes are left over after a datum of {self.name}")
        try:
            return self._show(self.root, plain)
        except ValueError as error:  # a number of more digits than Python writes out
            raise FormError(f"a datum of {self.name} cannot be shown: {error}") from error

    def write(self, value: Any) -> bytes:
        """Return the datum that says something.

        Args:
            value: As `read` returns it; numbers with a point may be `decimal.Decimal`.
        """
        plain = self._take(self.root, value, ())
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, self._plain, plain, strict=True)
        return buffer.getvalue()

    def resolved(self, schema: Any) -> Any:
        """Return a type without the union with null that it may stand in, and looked up where it is only named."""
        if isinstance(schema, list):
            others = [branch for branch in schema if branch != "null"]
            return self.resolved(others[0]) if len(others) == 1 else schema
        if isinstance(schema, str):
            return self._named.get(schema, {"type": schema})
        return schema

    def branch(self, union: list[Any], name: str) -> Any:
        """Return the type of a union by name; None when it has none of that name."""
        return next((each for each in union if self.type_name(each) == name), None)

    def fits(self, schema: Any, value: Any) -> bool:
        try:
            self._take(schema, value, ())
        except FormError:
            return False
        return True

    def _plainly(self, schema: Any) -> Any:
        if isinstance(schema, list):
            return list(self._wrapped(schema))
        if isinstance(schema, str):
            return self._plain_names.get(schema, schema)
        kind = schema["type"]
        if kind in {"record", "error", "enum", "fixed"}:
            self._named[schema["name"]] = schema
            self._plain_names[schema["name"]] = name = self._new_name()
            plain = {key: schema[key] for key in ("symbols", "size") if key in schema}
            if "fields" in schema:
                plain["fields"] = [
                    {"name": field["name"], "type": self._plainly(field["type"])}
                    for field in schema["fields"]
                ]
            return {"type": kind, "name": name, **plain}
        if kind == "array":
            return {"type": kind, "items": self._plainly(schema["items"])}
        if kind == "map":
            return {"type": kind, "values": self._plainly(schema["values"])}
        return self._plainly(kind)

    def _wrapped(self, union: list[Any]) -> Iterator[Any]:
        names = [None if branch == "null" else self._new_name() for branch in union]
        self._branches[id(union)] = names
        for branch, name in zip(union, names, strict=True):
            if name is None:
                yield branch
            else:
                field = {"name": VALUE, "type": self._plainly(branch)}
                yield {"type": "record", "name": name, "fields": [field]}

    def _new_name(self) -> str:
        return f"plain.t{next(self._numbers)}"

    def _show(self, schema: Any, plain: Any) -> Any:
        if isinstance(schema, list):
            if plain is None:
                return None
            name, wrapped = plain
            branch = schema[self._branches[id(schema)].index(name)]
            shown = self._show(branch, wrapped[VALUE])
            return shown if _is_bare(schema) else {self.type_name(branch): shown}
        node = self.resolved(schema)
        match node["type"]:
            case "record" | "error":
                return {f["name"]: self._show(f["type"], plain[f["name"]]) for f in node["fields"]}
            case "array":
                return [self._show(node["items"], each) for each in plain]
            case "map":
                return {key: self._show(node["values"], each) for key, each in plain.items()}
        return scalar_of(node).show(plain)

    def _take(self, schema: Any, value: Any, path: Path) -> Any:
        if isinstance(schema, list):
            return self._take_union(schema, value, path)
        node = self.resolved(schema)
        match node["type"]:
            case "record" | "error":
                return self._take_record(node, value, path)
            case "array":
                items = _require(list, "a list", value, path)
                return [
                    self._take(node["items"], each, (*path, str(number)))
                    for number, each in enumerate(items)
                ]
            case "map":
                entries = _require(dict, "an object", value, path)
                return {
                    key: self._take(node["values"], each, (*path, key))
                    for key, each in entries.items()
                }
        try:
            return scalar_of(node).take(value)
        except UnfitError as error:
            raise FormError(f"{place(path)} {error}", path) from None

    def _take_record(self, node: Any, value: Any, path: Path) -> Any:
        given = _require(dict, "an object", value, path)
        fields = {field["name"]: field["type"] for field in node["fields"]}
        if missing := [name for name in fields if name not in given]:
            raise FormError(
                f"{place((*path, missing[0]))} is missing; a record has all its fields", path
            )
        if unknown := [name for name in given if name not in fields]:
            raise FormError(
                f"{place((*path, unknown[0]))} is no field of {node['name']}, which has {', '.join(fields)}",
                (*path, unknown[0]),
            )
        return {
            name: self._take(schema, given[name], (*path, name)) for name, schema in fields.items()
        }

    def _take_union(self, union: list[Any], value: Any, path: Path) -> Any:
        names = self._branches[id(union)]
        if value is None and None in names:
            return None
        if _is_bare(union):
            [(name, branch)] = [(n, b) for n, b in zip(names, union, strict=True) if n is not None]
            return name, {VALUE: self._take(branch, value, path)}
        known = {
            self.type_name(branch): (name, branch)
            for name, branch in zip(names, union, strict=True)
            if name is not None
        }
        if not isinstance(value, dict) or len(value) != 1 or not known.keys() & value.keys():
            raise FormError(
                f"{place(path)} should be an object whose only member is one of {', '.join(known)}, not {told(value)}",
                path,
            )
        [(tag, inner)] = value.items()
        name, branch = known[tag]
        return name, {VALUE: self._take(branch, inner, (*path, tag))}

    def type_name(self, schema: Any) -> str:
        """Return how a type is named as a member of a union: by its full name, or its kind where it has none."""
        node = self.resolved(schema)
        return str(node.get("name", node["type"]))


def place(path: Path) -> str:
    """Return a place within a document, such as `lines.0.quantity`."""
    return ".".join(path) or "the message"


def _is_bare(union: list[Any]) -> bool:
    return len([branch for branch in union if branch != "null"]) == 1


def _require(kind: type[Any], words: str, value: Any, path: Path) -> Any:
    if not isinstance(value, kind):
        raise FormError(f"{place(path)} should be {words}, not {told(value)}", path)
    return value
