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
    mine, theirs = narrow.get("properties", {}), wide.get("properties", {})
    for name in mine | theirs:
        if name in mine and name in theirs:
            found = comparison.default(mine[name], theirs[name])
            found += comparison.covered(mine[name], theirs[name])
        else:
            found = _one_sided(comparison, name, narrow, wide)
        yield from (one.below(name) for one in found)
    yield from _required(comparison, narrow, wide)
    yield from _undeclared(comparison, narrow, wide)


def _one_sided(comparison: Compares, name: str, narrow: Shape, wide: Shape) -> Breaches:
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


def _others(shape: Shape) -> Any:
    """Return the schema of properties that are not declared."""
    return shape.get("additionalProperties", True)


def _is_map(others: Any) -> bool:
    """Whether undeclared properties are described, as those of a dictionary are."""
    return isinstance(others, dict) and bool(others)
