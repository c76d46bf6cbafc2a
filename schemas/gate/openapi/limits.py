"""Compares what shapes of one type say about sizes, ranges and forms of values."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from schemas.gate.openapi.rules import Breach, Direction, Kind, breach
from schemas.gate.openapi.shapes import Shape, text

_SIZES = ("Length", "Items", "Properties")
_UNRANKED = (Decimal(0), False)
_WIDER = {('"int32"', '"int64"'), ('"float"', '"double"')}
_FORMS = ("pattern", "format", "contentEncoding", "contentMediaType", "multipleOf")


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit: the keyword that states it, its value, and a rank that is higher the more it forbids."""

    keyword: str
    value: Any
    rank: tuple[Decimal, bool]


def check_limits(direction: Direction, narrow: Shape, wide: Shape) -> Iterator[Breach]:
    """Yield a breach for every limit of the wide shape that values of the narrow one may exceed.

    Args:
        direction: In requests the wide shape is the new one, in responses the old one.
        wide: Says which values must be allowed.
    """
    limits, known = _limits(wide), _limits(narrow)
    for side, limit in limits.items():
        other = known.get(side)
        if other is None or limit.rank > other.rank:
            yield _moved(direction, other, limit)
    for keyword in _FORMS:
        form, other = _form(keyword, wide), _form(keyword, narrow)
        if form is not None and form != other and not _is_wider(form, other):
            yield _moved(direction, other, form)
    if wide.get("uniqueItems") and not narrow.get("uniqueItems"):
        yield breach(direction, Kind.BOUND_ONE_SIDED, keyword="uniqueItems", value="true")


def _is_wider(form: Limit, other: Limit | None) -> bool:
    """Whether a format allows all that another does; `password` says how to show a text, and forbids nothing."""
    pair = (text(other.value), text(form.value)) if other else ("", "")
    return form.keyword == "format" and (pair in _WIDER or form.value == "password")


def _limits(shape: Shape) -> dict[str, Limit]:
    found = {}
    for size in _SIZES:
        if shape.get(f"min{size}"):
            found[f"min{size}"] = _at_least(f"min{size}", shape)
        if f"max{size}" in shape:
            found[f"max{size}"] = _at_most(f"max{size}", shape)
    lower = [_at_least(key, shape) for key in ("minimum", "exclusiveMinimum") if key in shape]
    upper = [_at_most(key, shape) for key in ("maximum", "exclusiveMaximum") if key in shape]
    if lower:
        found["lower"] = max(lower, key=lambda limit: limit.rank)
    if upper:
        found["upper"] = max(upper, key=lambda limit: limit.rank)
    return found


def _at_least(keyword: str, shape: Shape) -> Limit:
    value, strict = Decimal(str(shape[keyword])), keyword.startswith("exclusive")
    if shape["type"] == "integer":  # above 0 is from 1
        value = Decimal(math.floor(value) + 1 if strict else math.ceil(value))
        strict = False
    return Limit(keyword, shape[keyword], (value, strict))


def _at_most(keyword: str, shape: Shape) -> Limit:
    value, strict = Decimal(str(shape[keyword])), keyword.startswith("exclusive")
    if shape["type"] == "integer":
        value = Decimal(math.ceil(value) - 1 if strict else math.floor(value))
        strict = False
    return Limit(keyword, shape[keyword], (-value, strict))


def _form(keyword: str, shape: Shape) -> Limit | None:
    return Limit(keyword, shape[keyword], _UNRANKED) if keyword in shape else None


def _moved(direction: Direction, narrow: Limit | None, wide: Limit) -> Breach:
    """Return the breach of a limit that came, went or moved. In requests the wide side is the new one."""
    if narrow is None:
        words = {"keyword": wide.keyword, "value": text(wide.value)}
        return breach(direction, Kind.BOUND_ONE_SIDED, **words)
    old, new = (narrow, wide) if direction is Direction.REQUEST else (wide, narrow)
    if old.keyword == new.keyword:
        words = {"keyword": old.keyword, "old": text(old.value), "new": text(new.value)}
    else:
        was, is_now = (f"{limit.keyword} {text(limit.value)}" for limit in (old, new))
        words = {"keyword": "bound", "old": was, "new": is_now}
    return breach(direction, Kind.BOUND_MOVED, **words)
