"""A JSON schema as a list of shapes: alternatives of one type each, without references, unions and conjunctions."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import product
from typing import Any

from schemas.gate.openapi.document import BrokenPartError, Document

Shape = dict[str, Any]
"""A schema with a single `type`, and of its other keywords those that matter for this type."""

# A number may be an integer, so that `integer` is not among the types of a schema that names none.
ALL_TYPES = ("null", "boolean", "number", "string", "array", "object")
_KINDS = {type(None): "null", bool: "boolean", int: "integer", float: "number"} | {
    str: "string",
    list: "array",
    dict: "object",
}
OPAQUE = (
    *("not", "if", "then", "else", "contains", "minContains", "maxContains"),
    *("dependentRequired", "dependentSchemas", "unevaluatedItems", "unevaluatedProperties"),
    *("prefixItems", "patternProperties", "propertyNames", "$dynamicRef"),
)
"""Keywords that the gate can tell to be equal, but not to be wider or narrower than others."""
FLAGS = ("readOnly", "writeOnly")
"""Keywords that say in which direction a value is not sent; there a change of them cannot be judged either."""

_NUMBER = "minimum maximum exclusiveMinimum exclusiveMaximum multipleOf format".split()
_KEYWORDS = {
    "null": [],
    "boolean": [],
    "integer": _NUMBER,
    "number": _NUMBER,
    "string": "minLength maxLength pattern format contentEncoding contentMediaType".split(),
    "array": "items minItems maxItems uniqueItems".split(),
    "object": "properties required additionalProperties minProperties maxProperties".split(),
}


MAX_ALTERNATIVES = 100
"""Of one schema with all combinations; more would take longer than anybody waits."""


class TooManyAlternativesError(Exception):
    """A schema combines so many alternatives that they cannot be compared one by one."""


def text(value: Any) -> str:
    """Return the JSON of a value, the same for equal values such as `1` and `1.0`, not for `1` and `true`."""
    return json.dumps(_whole(value), sort_keys=True, ensure_ascii=False)


def _whole(value: Any) -> Any:
    """Return a value with numbers that have no decimals as integers: pydantic states limits as 1000.0."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case list():
            return [_whole(item) for item in value]
        case dict():
            return {key: _whole(item) for key, item in value.items()}
    return value


def shapes(schema: Any, document: Document, above: frozenset[str] = frozenset()) -> list[Shape]:
    """Return the alternatives that a schema allows; none at all if it allows nothing.

    Args:
        above: References that are being resolved: one that comes back to itself adds nothing.
    """
    if isinstance(schema, bool):
        return _own({}) if schema else []
    found = _own(schema)
    reference = schema.get("$ref")
    if isinstance(reference, str):
        if reference in above:
            return []
        found = _both(found, shapes(document.find(reference), document, above | {reference}))
    for part in schema.get("allOf", ()):
        found = _both(found, shapes(part, document, above))
    for union in ("anyOf", "oneOf"):
        if union in schema:
            options = (
                _tagged(schema.get("discriminator"), option, shapes(option, document, above))
                for option in schema[union]
            )
            found = _both(found, [shape for option in options for shape in option])
    return found


def _tagged(discriminator: Any, option: Any, found: list[Shape]) -> list[Shape]:
    """Return the shapes of an alternative with the values of the tag that stand for it, unless it says them itself."""
    reference = option.get("$ref", "") if isinstance(option, dict) else ""
    mapping = discriminator.get("mapping") if isinstance(discriminator, dict) else None
    if not mapping or not reference:
        return found
    targets, name = (reference, reference.rpartition("/")[2]), discriminator["propertyName"]
    values = [value for value, target in mapping.items() if target in targets] or [targets[1]]
    return [_with_tag(shape, name, values) for shape in found]


def _with_tag(shape: Shape, name: str, values: list[str]) -> Shape:
    properties = shape.get("properties", {})
    known = properties.get(name, {})
    if shape["type"] != "object" or not isinstance(known, dict):
        return shape
    if known.keys() & {"const", "enum", "$ref", "allOf", "anyOf", "oneOf"}:
        return shape
    return shape | {"properties": properties | {name: known | {"enum": values}}}


def _own(schema: dict[str, Any]) -> list[Shape]:
    values = schema.get("enum")
    if "const" in schema:
        values = _common([schema["const"]], schema.get("enum", [schema["const"]]))
    found = []
    for kind in _types(schema):
        kept = (*_KEYWORDS[kind], *OPAQUE, *FLAGS)
        shape: Shape = {"type": kind} | {key: schema[key] for key in kept if key in schema}
        if values is not None:
            shape["enum"] = [value for value in values if _is_a(value, kind)]
        if shape.get("enum") != []:
            found.append(shape)
    return found


def _types(schema: dict[str, Any]) -> Iterable[str]:
    declared = schema.get("type", ALL_TYPES)
    return [declared] if isinstance(declared, str) else declared


def kind_of(value: Any) -> str:
    """Return the JSON type of a value; a number without decimals is an integer."""
    if isinstance(value, float) and value.is_integer():
        return "integer"
    return _KINDS[type(value)]


def _is_a(value: Any, kind: str) -> bool:
    return takes(kind, kind_of(value))


def takes(wide: str, narrow: str) -> bool:
    return wide == narrow or (wide, narrow) == ("number", "integer")


def _both(left: list[Shape], right: list[Shape]) -> list[Shape]:
    found: list[Shape] = []
    for a, b in product(left, right):
        shape = _merge(a, b)
        found += [] if shape is None else [shape]
        if len(found) > max(MAX_ALTERNATIVES, len(left), len(right)):
            raise TooManyAlternativesError
    return found


def _merge(left: Shape, right: Shape) -> Shape | None:
    """Return the shape that fits both, or None if there is none."""
    kinds = {left["type"], right["type"]}
    if len(kinds) > 1 and kinds != {"integer", "number"}:
        return None
    kind = "integer" if "integer" in kinds else left["type"]
    shape = left | right | {"type": kind}
    for key in (left.keys() & right.keys()) - {"type"}:
        if text(left[key]) != text(right[key]):
            shape[key] = _MERGERS.get(key, _side_by_side)(left[key], right[key])
    return None if shape.get("enum") == [] else shape


def _common(left: list[Any], right: list[Any]) -> list[Any]:
    known = {text(value) for value in right}
    return [value for value in left if text(value) in known]


def _every(left: Any, right: Any) -> Any:
    """Return a schema for what fits both, without repeating a part: so recursive ones come to an end."""
    if False in (left, right):
        return False
    parts = [part for side in (left, right) for part in _parts(side)]
    unique = {text(part): part for part in parts if part not in (True, {})}
    return {"allOf": list(unique.values())}


def _parts(schema: Any) -> list[Any]:
    if isinstance(schema, dict) and schema.keys() == {"allOf"}:
        return [inner for part in schema["allOf"] for inner in _parts(part)]
    return [schema]


def _by_name(left: dict[str, Any], right: dict[str, Any]) -> dict[str, Any]:
    shared = left.keys() & right.keys()
    return left | right | {name: _every(left[name], right[name]) for name in shared}


def _side_by_side(left: Any, right: Any) -> Any:
    """Keep what cannot be merged, in an order that does not depend on which came first."""
    return {"both": sorted([left, right], key=text)}


_MERGERS: Mapping[str, Callable[[Any, Any], Any]] = (
    dict.fromkeys(("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"), max)
    | dict.fromkeys(("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"), min)
    | dict.fromkeys(("items", "additionalProperties"), _every)
    | {
        "enum": _common,
        "properties": _by_name,
        "required": lambda left, right: sorted({*left, *right}),
        "uniqueItems": lambda left, right: left or right,
    }
)


def written_out(schema: Any, document: Document) -> str:
    """Return the text of a schema and of every schema that it leads to."""
    found, left = {"": schema}, [schema]
    while left:
        for reference in set(_references(left.pop())) - found.keys():
            found[reference] = None
            with suppress(BrokenPartError):  # it has been said of the part
                found[reference] = document.find(reference)
            left.append(found[reference])
    return text(found)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict) and isinstance(node.get("$ref"), str):
        yield node["$ref"]
    if isinstance(node, dict | list):
        for each in node.values() if isinstance(node, dict) else node:
            yield from _references(each)


def are_apart(one: Shape, own: Document, other: Shape, document: Document) -> bool:
    """Whether no value fits two shapes of two documents, as their types tell or the values of a property."""
    kinds = one["type"], other["type"]
    if not (takes(*kinds) or takes(*reversed(kinds))):
        return True
    mine, theirs = one.get("properties", {}), other.get("properties", {})
    return _differ([one], [other]) or any(
        _differ(shapes(mine[name], own), shapes(theirs[name], document))
        for name in mine.keys() & theirs.keys()
    )


def _differ(these: list[Shape], those: list[Shape]) -> bool:
    if not all("enum" in each for each in (*these, *those)):
        return False
    values = ({text(value) for each in side for value in each["enum"]} for side in (these, those))
    return set.isdisjoint(*values)
