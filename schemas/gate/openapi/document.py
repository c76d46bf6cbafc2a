"""An OpenAPI document as the gate reads it: references resolved, embedded definitions lifted, one text to commit."""

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

_INDEX = re.compile(r"[0-9]{1,9}")
_DEFINITIONS = "#/$defs/"
_COMPONENTS = "#/components/schemas/"


BROKEN = {"$ref": "malformed"}
"""Stands where a document is malformed. Whoever follows it learns that there is nothing to compare."""


class BrokenPartError(Exception):
    """A part that is to be compared is malformed, which is said of the part itself."""


class UnknownReferenceError(Exception):
    """A document refers to something that it does not contain."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"{reference} is not in the document")


class Document:
    """An OpenAPI document with lifted definitions.

    Args:
        is_old: Whether it is the one before a change, of which what leads nowhere is no measure.
    """

    def __init__(self, content: Mapping[str, Any], *, is_old: bool = False) -> None:
        self.content = lift(content)
        self._is_old = is_old

    def resolve(self, node: Any) -> Any:
        """Return what a node refers to, or the node itself if it is no reference. For everything but schemas.

        Raises:
            UnknownReferenceError: the reference leads nowhere, out of the document, or in a circle.
            BrokenPartError: it is malformed.
        """
        seen: set[str] = set()
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            reference = node["$ref"]
            if reference in seen:
                raise BrokenPartError if self._is_old else UnknownReferenceError(reference)
            seen.add(reference)
            node = self.find(reference)
        return node

    def find(self, reference: str) -> Any:
        """Return what stands at a reference such as `#/components/schemas/Order`.

        Raises:
            UnknownReferenceError: nothing stands there, or it is in another document.
            BrokenPartError: the reference stands for a part that is malformed.
        """
        try:
            return find(self.content, reference)
        except UnknownReferenceError as error:
            if self._is_old:
                raise BrokenPartError from error
            raise


def find(content: Any, reference: str) -> Any:
    """Return what stands at a reference in a document; raises as `Document.find` does."""
    if reference == BROKEN["$ref"]:
        raise BrokenPartError
    if not reference.startswith("#"):
        raise UnknownReferenceError(reference)
    node = content
    for step in unquote(reference[1:]).split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and _INDEX.fullmatch(key) and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            raise UnknownReferenceError(reference)
    return node


def canonical(content: Mapping[str, Any]) -> str:
    """Return a document as the one text to commit: definitions lifted, keys sorted, a line break at the end."""
    return json.dumps(lift(content), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def lift(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document whose embedded `$defs` are among its components.

    A schema that pydantic made on its own brings the definitions of what it contains along, and refers to them from
    its own root. Within an OpenAPI document such a reference starts at the root of the document and finds nothing.
    """
    components = dict(content.get("components", {}))
    schemas = dict(components.get("schemas", {}))
    lifted = {key: _lift(value, schemas) for key, value in content.items() if key != "components"}
    for name in list(schemas):
        schemas[name] = _lift(schemas[name], schemas)
    others = {key: _lift(value, schemas) for key, value in components.items() if key != "schemas"}
    if schemas or "schemas" in components:
        others["schemas"] = schemas
    return lifted | ({"components": others} if others or "components" in content else {})


def _lift(node: Any, schemas: dict[str, Any]) -> Any:
    if isinstance(node, list):
        return [_lift(item, schemas) for item in node]
    if not isinstance(node, dict):
        return node
    definitions = node.get("$defs")
    if not isinstance(definitions, dict):
        return {key: _lift(value, schemas) for key, value in node.items()}
    names = _place(definitions, schemas)
    rest = {key: value for key, value in node.items() if key != "$defs"}
    return _lift(_pointed(rest, names), schemas)


def _place(definitions: Mapping[str, Any], schemas: dict[str, Any]) -> dict[str, str]:
    """Add definitions to the schemas; return their new names, which differ if others have taken theirs."""
    attempt = 1
    while True:
        names = {name: name if attempt == 1 else f"{name}_{attempt}" for name in definitions}
        placed = {names[name]: _pointed(body, names) for name, body in definitions.items()}
        if all(schemas.get(name, body) == body for name, body in placed.items()):
            schemas |= placed
            return names
        attempt += 1


def _pointed(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_pointed(item, names) for item in node]
    if not isinstance(node, dict):
        return node
    moved = {key: _pointed(value, names) for key, value in node.items()}
    reference = node.get("$ref")
    if isinstance(reference, str) and reference.startswith(_DEFINITIONS):
        name, *inside = reference.removeprefix(_DEFINITIONS).split("/")
        moved["$ref"] = "/".join([_COMPONENTS + names.get(name, name), *inside])
    return moved
