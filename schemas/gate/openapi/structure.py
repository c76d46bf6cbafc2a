"""What an OpenAPI document must look like to be compared: parts that do not are named, and cut out of it."""

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from schemas.gate.openapi.document import BROKEN, BrokenPartError, UnknownReferenceError, find

Pointer = tuple[str | int, ...]
METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")
_PLACES = ("path", "query", "header", "cookie")


@dataclass(frozen=True, slots=True)
class Fault:
    """A part that is not what it must be: where it stands, and what is wrong with it as a clause."""

    pointer: Pointer
    problem: str

    @property
    def path(self) -> str:
        steps = (str(step).replace("~", "~0").replace("/", "~1") for step in self.pointer)
        return "".join(f"/{step}" for step in steps) or "/"


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A value that holds no other part, and how to say what it must be."""

    fits: Callable[[Any], bool]
    form: str


@dataclass(frozen=True, slots=True)
class _Each:
    """A map (`dict`) or list of parts of one kind."""

    container: type
    kind: str

    @property
    def form(self) -> str:
        return "an object" if self.container is dict else "a list"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_size(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_type(value: Any) -> bool:
    kinds = value if isinstance(value, list) and value else [value]
    return all(kind in _TYPES for kind in kinds if isinstance(kind, str)) and all(
        isinstance(kind, str) for kind in kinds
    )


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _maps_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(each, str) for each in value.values())


_TEXT = _Leaf(lambda value: isinstance(value, str), "a text")
_FLAG = _Leaf(lambda value: isinstance(value, bool), "true or false")
_NUMBER = _Leaf(_is_number, "a number")
_STEP = _Leaf(lambda value: _is_number(value) and value > 0, "a number above 0")
_SIZE = _Leaf(_is_size, "a whole number from 0")
_LIST = _Leaf(lambda value: isinstance(value, list), "a list")
_TEXTS = _Leaf(_are_texts, "a list of texts")
_MAPPING = _Leaf(_maps_texts, "an object of texts")
_TYPE = _Leaf(_is_type, f"one of {', '.join(_TYPES)}, or a list of them")
_PLACE = _Leaf(lambda value: value in _PLACES, f"one of {', '.join(_PLACES)}")

Form = _Leaf | _Each | str


def _all(names: Iterable[str], form: Form) -> dict[str, Form]:
    return dict.fromkeys(names, form)


_PARAMETERS, _SERVERS = _Each(list, "parameter"), _Each(list, "server")
_CONTENT = _Each(dict, "media type")
_WRITTEN: dict[str, Form] = {
    "required": _FLAG,
    "schema": "schema",
    "content": _CONTENT,
    "style": _TEXT,
    "explode": _FLAG,
    "allowReserved": _FLAG,
}
_TABLE: dict[str, dict[str, Form]] = {
    "document": {
        "paths": _Each(dict, "path"),
        "components": "set of components",
        "security": _Each(list, "security requirement"),
        "servers": _SERVERS,
    },
    "set of components": {
        "schemas": _Each(dict, "schema"),
        "responses": _Each(dict, "response"),
        "parameters": _Each(dict, "parameter"),
        "requestBodies": _Each(dict, "request body"),
        "headers": _Each(dict, "header"),
        "securitySchemes": _Each(dict, "security scheme"),
        "pathItems": _Each(dict, "path"),
    },
    "path": _all(METHODS, "operation")
    | {"parameters": _PARAMETERS, "servers": _SERVERS, "$ref": _TEXT},
    "operation": {
        "parameters": _PARAMETERS,
        "requestBody": "request body",
        "responses": _Each(dict, "response"),
        "security": _Each(list, "security requirement"),
        "deprecated": _FLAG,
        "servers": _SERVERS,
    },
    "parameter": _WRITTEN | {"name": _TEXT, "in": _PLACE, "allowEmptyValue": _FLAG},
    "header": _WRITTEN,
    "request body": {"required": _FLAG, "content": _CONTENT},
    "response": {"headers": _Each(dict, "header"), "content": _CONTENT},
    "media type": {"schema": "schema", "encoding": _Each(dict, "encoding")},
    "encoding": {"contentType": _TEXT, "style": _TEXT, "explode": _FLAG, "allowReserved": _FLAG},
    "server": {"url": _TEXT, "variables": _Each(dict, "server variable")},
    "server variable": {"default": _TEXT, "enum": _TEXTS},
    "security scheme": {
        "flows": _Each(dict, "flow"),
        **_all(("type", "scheme", "in", "name", "openIdConnectUrl"), _TEXT),
    },
    "flow": {"scopes": _MAPPING} | _all(("authorizationUrl", "tokenUrl", "refreshUrl"), _TEXT),
    "discriminator": {"propertyName": _TEXT, "mapping": _MAPPING},
    "schema": {
        "type": _TYPE,
        "enum": _LIST,
        "required": _TEXTS,
        "discriminator": "discriminator",
        "multipleOf": _STEP,
        **_all(("properties", "patternProperties", "$defs"), _Each(dict, "schema")),
        **_all(("allOf", "anyOf", "oneOf", "prefixItems"), _Each(list, "schema")),
        **_all(("items", "additionalProperties", "propertyNames"), "schema"),
        **_all(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
        **_all(("minLength", "maxLength", "minItems", "maxItems"), _SIZE),
        **_all(("minProperties", "maxProperties"), _SIZE),
        **_all(("pattern", "format", "contentEncoding", "contentMediaType", "$ref"), _TEXT),
        **_all(("uniqueItems", "readOnly", "writeOnly", "deprecated"), _FLAG),
    },
}
"""What the gate reads of each kind of part, and what it must be. What is not here may be anything."""

_NEEDED = {
    "parameter": ("name", "in"),
    "security scheme": ("type",),
    "server": ("url",),
    "discriminator": ("propertyName",),
}


_HOMES = {
    "schema": "schemas",
    "response": "responses",
    "parameter": "parameters",
    "request body": "requestBodies",
    "header": "headers",
    "security scheme": "securitySchemes",
    "path": "pathItems",
}
"""Parts that may be references, and where among the components they usually stand."""


def sound(content: Any) -> tuple[Any, list[Fault]]:
    """Return a document whose malformed parts are replaced by `BROKEN`, and what is wrong with them."""
    walk = _Walk(content)
    return walk.part("document", content, ()), walk.faults


class _Walk:
    """Copies a document and notes what is wrong with it."""

    def __init__(self, content: Any) -> None:
        self.faults: list[Fault] = []
        self._content = content
        self._followed: dict[tuple[str, str], bool] = {}

    def part(self, kind: str, node: Any, at: Pointer) -> Any:
        if kind == "schema" and isinstance(node, bool):
            return node
        if kind == "security requirement":
            fits = isinstance(node, dict) and all(map(_are_texts, node.values()))
            return node if fits else self._refuse(node, "an object of lists of texts", at)
        if not isinstance(node, dict):
            broken = self._refuse(node, "an object", at)
            return dict.fromkeys(METHODS, broken) if kind == "path" else broken
        return self._object(kind, node, at)

    def _object(self, kind: str, node: dict[str, Any], at: Pointer) -> Any:
        if "$ref" in node and not self._leads(kind, node["$ref"], at):
            return BROKEN
        if "$ref" in node and kind != "schema":
            return node
        for name in _NEEDED.get(kind, ()):
            if name not in node:
                self.faults.append(Fault(at, f'the {kind} has no "{name}"'))
                return BROKEN
        return self._members(kind, node, at)

    def _members(self, kind: str, node: Mapping[str, Any], at: Pointer) -> Any:
        found = dict(node)
        is_sound = True
        for name, form in _TABLE[kind].items():
            if name not in node:
                continue
            value, inside = node[name], (*at, name)
            if isinstance(form, str):
                found[name] = self.part(form, value, inside)
                is_sound = is_sound and (form in {"schema", "operation"} or found[name] != BROKEN)
            elif isinstance(form, _Leaf):
                if not form.fits(value):
                    found[name] = self._refuse(value, form.form, inside)
                    is_sound = False
            elif isinstance(value, form.container):
                found[name] = self._each(form, value, inside)
                is_sound = is_sound and (form.kind in _HOMES or not _has_broken(found[name]))
            else:
                self._refuse(value, form.form, inside)
                is_sound = False
        if kind == "path" and not is_sound:
            return dict.fromkeys(METHODS, BROKEN)
        return found if is_sound else BROKEN

    def _leads(self, kind: str, reference: Any, at: Pointer) -> bool:
        """Whether a reference may be followed; to where nothing is, that is said of what follows it."""
        home = _HOMES.get(kind)
        if home is None:
            self.faults.append(Fault(at, f"the {kind} cannot be a reference"))
            return False
        if not isinstance(reference, str):
            self._refuse(reference, "a reference", (*at, "$ref"))
            return False
        if reference.startswith((f"#/components/{home}/", "#/$defs/")):
            return True  # it is looked at where it stands
        if (kind, reference) not in self._followed:
            self._followed[kind, reference] = True
            with suppress(UnknownReferenceError, BrokenPartError):
                target = find(self._content, reference)
                aside = _Walk(self._content)
                aside._followed = self._followed
                self._followed[kind, reference] = aside.part(kind, target, ()) != BROKEN
        if not self._followed[kind, reference]:
            self.faults.append(Fault(at, f"{reference} is no {kind}"))
        return self._followed[kind, reference]

    def _each(self, form: _Each, value: Any, at: Pointer) -> Any:
        if form.container is list:
            return [self.part(form.kind, each, (*at, index)) for index, each in enumerate(value)]
        return {
            name: self.part(form.kind, each, (*at, name))
            for name, each in value.items()
            if not (form.kind in {"path", "response"} and name.startswith("x-"))
        }

    def _refuse(self, value: Any, form: str, at: Pointer) -> Any:
        self.faults.append(Fault(at, f"{_shown(value)} stands where {form} is expected"))
        return BROKEN


def _has_broken(members: Any) -> bool:
    return BROKEN in (members.values() if isinstance(members, dict) else members)


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return json.dumps(value)[:60]
