"""Compares what shapes of objects say about their properties: declared, required, and all others."""

from collections.abc import Iterator
from typing import Any

from schemas.gate.openapi.document import BROKEN
from schemas.gate.openapi.rules import Breach, Breaches, Compares, Kind, breach
from schemas.gate.openapi.shapes import Shape


def check_objects(comparison: Compares, narrow: Shape, wide: Shape) -> Iterator[Breach]:
    """Yield why not every object of one shape is allowed by another.

    A property that is declared by neither shape's `properties` is expected not to come, unless `additionalProperties`
    describes it: otherwise nothing could ever be added to an object that is open, as most are.
    """
    known = narrow.get("properties", {}), wide.get("properties", {})
    narrow, wide = (
        _sent(comparison, narrow, is_narrow=True),
        _sent(comparison, wide, is_narrow=False),
    )
    mine, theirs = narrow.get("properties", {}), wide.get("properties", {})
    hidden = (
        known[comparison.is_request].keys() - (theirs if comparison.is_request else mine).keys()
    )
    for name in mine | theirs:
        if name in hidden:
            found: Breaches = (breach(comparison.direction, Kind.HIDDEN),)
        elif name in mine and name in theirs:
            found = comparison.default(mine[name], theirs[name])
            found += comparison.covered(mine[name], theirs[name])
        else:
            found = _one_sided(comparison, name, narrow, wide)
        yield from (one.below(name) for one in found)
    yield from _required(comparison, narrow, wide)
    yield from _undeclared(comparison, narrow, wide)
    yield from _patterns(comparison, narrow, wide)
    if "propertyNames" in wide:
        names = narrow.get("propertyNames", True), wide["propertyNames"]
        found = comparison.covered(*({"allOf": [{"type": "string"}, name]} for name in names))
        yield from (one.below("propertyNames") for one in found)


def _sent(comparison: Compares, shape: Shape, *, is_narrow: bool) -> Shape:
    """Return a shape without the properties that are not sent in this direction, which nobody can require there."""
    properties = shape.get("properties", {})
    hidden = {
        name for name, each in properties.items() if comparison.hides(each, is_narrow=is_narrow)
    }
    if not hidden:
        return shape
    return shape | {
        "properties": {name: each for name, each in properties.items() if name not in hidden},
        "required": [name for name in shape.get("required", ()) if name not in hidden],
    }


def _one_sided(comparison: Compares, name: str, narrow: Shape, wide: Shape) -> Breaches:
    """Return what is wrong with a property that only one of two shapes declares."""
    if name in narrow.get("properties", {}):
        schema, others, is_old = narrow["properties"][name], _others(wide), comparison.is_request
        pair = schema, others
    else:
        schema, others, is_old = (
            wide["properties"][name],
            _others(narrow),
            not comparison.is_request,
        )
        pair = others, schema
    if schema == BROKEN:
        return ()
    if _is_map(others):
        return comparison.covered(*pair)
    if is_old:
        fate = "refused" if others is False else "ignored"
        return (breach(comparison.direction, Kind.REMOVED, fate=fate),)
    if others is False and not comparison.is_request:
        return (breach(comparison.direction, Kind.ADDED),)
    return ()


def _required(comparison: Compares, narrow: Shape, wide: Shape) -> Iterator[Breach]:
    for name in wide.get("required", ()):
        if name in narrow.get("required", ()):
            continue
        declared = name in narrow.get("properties", {})
        if comparison.is_request:
            kind = Kind.REQUIRED if declared else Kind.ADDED
        elif declared or _is_map(_others(narrow)) or name not in wide.get("properties", {}):
            kind = Kind.REQUIRED
        else:  # it is gone, and that has been said
            continue
        yield breach(comparison.direction, kind).below(name)


def _undeclared(comparison: Compares, narrow: Shape, wide: Shape) -> Iterator[Breach]:
    mine, theirs = _others(narrow), _others(wide)
    if theirs is False and mine is not False:
        yield breach(comparison.direction, Kind.CLOSED)
    elif _is_map(theirs) and mine is not False:
        yield from (one.below("*") for one in comparison.covered(mine, theirs))


def _patterns(comparison: Compares, narrow: Shape, wide: Shape) -> Iterator[Breach]:
    """Compare what is said about properties whose names match a pattern. Patterns are compared as texts."""
    mine, theirs = narrow.get("patternProperties", {}), wide.get("patternProperties", {})
    if theirs.keys() - mine.keys():
        yield breach(comparison.direction, Kind.OPAQUE, keyword="patternProperties")
    for pattern, schema in mine.items():
        found = comparison.covered(schema, theirs.get(pattern, _others(wide)))
        yield from (one.below(pattern) for one in found)


def _others(shape: Shape) -> Any:
    """Return the schema of properties that are not declared."""
    return shape.get("additionalProperties", True)


def _is_map(others: Any) -> bool:
    """Whether undeclared properties are described, as those of a dictionary are."""
    return isinstance(others, dict) and bool(others)
