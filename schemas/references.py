"""Named Avro types that live in a file of their own: put in place, so that every schema is whole by itself.

A registered text then needs no other to be read, whatever registry holds it and whoever caches it.
"""

from collections.abc import Callable
from typing import Any

from schemas.gate.avro.parse import PRIMITIVES, namespace_of, qualify

Load = Callable[[str], Any]
"""Returns the document of a named type by its full name; raises LookupError when there is none."""


def inlined(document: Any, load: Load) -> Any:
    """Return a schema with each named type that it does not define itself defined where it is first used.

    Args:
        document: The schema as `json.loads` returns it; it is not changed.

    Raises:
        LookupError: a type is neither defined in the schema nor known to `load`, or stands too deep in it.
    """
    try:
        return _Inliner(load).whole(document, "")
    except RecursionError as error:
        raise LookupError("the types stand too deep within each other") from error


class _Inliner:
    """Walks a schema in the order in which Avro defines names."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._defined: set[str] = set()
        self._loading: set[str] = set()

    def whole(self, schema: Any, namespace: str) -> Any:
        if isinstance(schema, str):
            return self._named(schema, namespace)
        if isinstance(schema, list):
            return [self.whole(branch, namespace) for branch in schema]
        return schema | self._parts(schema, namespace) if isinstance(schema, dict) else schema

    def _parts(self, schema: dict[str, Any], namespace: str) -> dict[str, Any]:
        """Return the members of a schema that hold schemas, these made whole; what is malformed stays."""
        match schema:
            case {"type": "record" | "error", "name": str(), "fields": [*fields]}:
                inner = self._define(schema, namespace)
                return {"fields": [self._field(field, inner) for field in fields]}
            case {"type": "enum" | "fixed", "name": str()}:
                self._define(schema, namespace)
            case {"type": "array", "items": items}:
                return {"items": self.whole(items, namespace)}
            case {"type": "map", "values": values}:
                return {"values": self.whole(values, namespace)}
            case {"type": dict() | list() as nested}:
                return {"type": self.whole(nested, namespace)}
        return {}

    def _field(self, field: Any, namespace: str) -> Any:
        match field:
            case {"type": kind}:
                return field | {"type": self.whole(kind, namespace)}
        return field

    def _named(self, name: str, namespace: str) -> Any:
        full = qualify(name, namespace)
        if name in PRIMITIVES or full in self._defined or full in self._loading:
            return name
        self._loading.add(full)
        try:
            return self.whole(self._load(full), "")
        finally:
            self._loading.discard(full)

    def _define(self, schema: dict[str, Any], namespace: str) -> str:
        full = qualify(schema["name"], schema.get("namespace", namespace))
        self._defined.add(full)
        return namespace_of(full)
