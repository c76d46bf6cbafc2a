"""Compares what shapes of one type say about sizes, ranges and forms of values."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

from schemas.gate.openapi.rules import Breach, Direction, Kind, breach
from schemas.gate.openapi.shapes import OPAQUE, Shape, text

_SIZES = ("Length", "Items", "Properties")
_UNRANKED = (Decimal(0), False)
_WIDER = {('"int32"', '"int64"'), ('"float"', '"double"')}
_MAX_PATTERN_VALUE = 100
_PLAIN_PATTERN = re.compile(r"[^()|]*")
_FORMS = ("pattern", "format", "contentEncoding", "contentMediaType")


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
        narrow: Says which values there may be; if it names one value, only that one counts.
        wide: Says which values must be allowed.
    """
    limits, known = _limits(wide), _limits(narrow)
    for side, limit in limits.items():
        other = known.get(side)
        if (other is None or limit.rank > other.rank) and not _respected(narrow, limit):
            yield _moved(direction, other, limit)
    for keyword in _FORMS:
        form, other = _form(keyword, wide), _form(keyword, narrow)
        if form is None or form == other or _is_wider(form, other):
            continue
        if not _respected(narrow, form):
            yield _moved(direction, other, form)
    if "multipleOf" in wide and not _is_multiple(narrow, wide["multipleOf"]):
        step = Limit("multipleOf", wide["multipleOf"], _UNRANKED)
        yield _moved(direction, _form("multipleOf", narrow), step)
    if wide.get("uniqueItems") and not narrow.get("uniqueItems"):
        yield breach(direction, Kind.BOUND_ONE_SIDED, keyword="uniqueItems", value="true")
    for keyword in OPAQUE:
        if keyword in wide and text(wide[keyword]) != text(narrow.get(keyword)):
            yield breach(direction, Kind.OPAQUE, keyword=keyword)


def _is_wider(form: Limit, other: Limit | None) -> bool:
    """Whether a format allows all that another does; `password` says how to show a text, and forbids nothing."""
    pair = (text(other.value), text(form.value)) if other else ("", "")
    return form.keyword == "format" and (pair in _WIDER or form.value == "password")


def _limits(shape: Shape) -> dict[str, Limit]:
    """Return the limits of a shape by what they limit."""
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


def _is_multiple(narrow: Shape, step: Any) -> bool:
    """Whether all values of a shape are multiples of a step."""
    if not isinstance(step, int | float):
        return bool(narrow.get("multipleOf") == step)
    whole = 1 if narrow["type"] == "integer" else None
    values = narrow.get("enum") or [narrow.get("multipleOf", whole)]
    return all(
        isinstance(value, int | float) and Fraction(str(value)) % Fraction(str(step)) == 0
        for value in values
    )


def _respected(narrow: Shape, limit: Limit) -> bool:
    """Whether the values that a shape names keep within a limit. Without named values nobody can say so."""
    values: list[Any] = narrow.get("enum") or []
    return bool(values) and all(_within(value, narrow, limit) for value in values)


def _within(value: Any, narrow: Shape, limit: Limit) -> bool:
    match value, limit.keyword:
        case str(), "minLength":
            return bool(len(value) >= limit.value)
        case str(), "maxLength":
            return bool(len(value) <= limit.value)
        case str(), "pattern":
            return _matches(limit.value, value)
        case int() | float(), "minimum" | "exclusiveMinimum":
            exact = _at_least("minimum", narrow | {"minimum": value})
            return exact.rank >= limit.rank
        case int() | float(), "maximum" | "exclusiveMaximum":
            exact = _at_most("maximum", narrow | {"maximum": value})
            return exact.rank >= limit.rank
    return False


def _matches(pattern: Any, value: str) -> bool:
    """Whether a text matches a pattern; one that Python may not read, or not in good time, is taken not to."""
    if not isinstance(pattern, str) or len(value) > _MAX_PATTERN_VALUE:
        return False
    if not _PLAIN_PATTERN.fullmatch(pattern) or sum(map(pattern.count, "*+{")) > 3:
        return False
    try:
        return bool(re.search(pattern, value))
    except re.error:
        return False


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
