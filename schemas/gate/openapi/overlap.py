"""Whether a value may fit two alternatives at once, which `oneOf` refuses."""

from typing import Any

from schemas.gate.openapi.document import Document
from schemas.gate.openapi.shapes import Shape, shapes, takes, text

MAX_DEPTH = 2
"""Of objects within each other that are looked into; what lies deeper is taken to fit."""


def fitting(shape: Shape, own: Document, options: list[Any], document: Document) -> int:
    """Return how many alternatives of a document may take values of a shape."""
    return sum(
        any(_overlap(shape, own, each, document, 0) for each in shapes(option, document))
        for option in options
    )


def _overlap(one: Shape, own: Document, other: Shape, document: Document, depth: int) -> bool:
    kinds = one["type"], other["type"]
    if depth > MAX_DEPTH or not (takes(*kinds) or takes(*reversed(kinds))):
        return depth > MAX_DEPTH
    if "enum" in one and "enum" in other:
        return bool(set(map(text, one["enum"])) & set(map(text, other["enum"])))
    if any(key in one and key in other and one[key] != other[key] for key in ("format", "pattern")):
        return False
    return one["type"] != "object" or _objects(one, own, other, document, depth)


def _objects(one: Shape, own: Document, other: Shape, document: Document, depth: int) -> bool:
    mine, theirs = one.get("properties", {}), other.get("properties", {})
    demanded, sent = set(other.get("required", ())), set(one.get("required", ()))
    is_map = isinstance(one.get("additionalProperties"), dict)
    if demanded - mine.keys() and not is_map:
        return False
    if other.get("additionalProperties") is False and sent - theirs.keys():
        return False
    return all(
        any(
            _overlap(a, own, b, document, depth + 1)
            for a in shapes(mine[name], own)
            for b in shapes(theirs[name], document)
        )
        for name in mine.keys() & theirs.keys()  # one that may be left out mostly is not
    )
