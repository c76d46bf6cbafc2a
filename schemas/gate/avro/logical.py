"""Logical types: which annotations are valid where, and what a change of one does to the values."""

import math
from collections.abc import Mapping
from typing import Any

from schemas.gate.avro.model import Fixed, Logical, Primitive
from schemas.gate.avro.rules import Rule

UNITS = {"time-millis": ("time", "millis"), "time-micros": ("time", "micros")} | {
    f"{clock}-{unit}": (clock, unit)
    for clock in ("timestamp", "local-timestamp")
    for unit in ("millis", "micros", "nanos")
}
BASES = {
    "date": {"int"},
    "time-millis": {"int"},
    "time-micros": {"long"},
    "uuid": {"string", "fixed"},
    "decimal": {"bytes", "fixed"},
    "big-decimal": {"bytes"},
    "duration": {"fixed"},
} | {name: {"long"} for name in UNITS if not name.startswith("time-")}
SIZES = {"duration": 12, "uuid": 16}
MOST_DIGITS = 4_000
"""Of a decimal. Numbers take time by the square of their digits, and Python writes out no more than 4,300."""


def annotation(document: Mapping[str, Any], base: str) -> tuple[Logical | None, str | None]:
    """Return the logical type of a schema object, or else the name of one that Avro ignores because it is invalid."""
    name = document.get("logicalType")
    if not isinstance(name, str) or name not in BASES:
        return None, None
    if base not in BASES[name] or (
        base == "fixed" and name in SIZES and document["size"] != SIZES[name]
    ):
        return None, name
    if name != "decimal":
        return Logical(name), None
    decimal = _decimal(document, base)
    return decimal, None if decimal else name


def _decimal(document: Mapping[str, Any], base: str) -> Logical | None:
    precision, scale = document.get("precision"), document.get("scale", 0)
    if type(precision) is not int or type(scale) is not int or not 0 <= scale <= precision:
        return None
    most = _digits(min(document["size"], MOST_DIGITS)) if base == "fixed" else MOST_DIGITS
    if not 1 <= precision <= min(most, MOST_DIGITS):
        return None
    return Logical("decimal", precision, scale)


def _digits(size: int) -> int:
    return math.floor(math.log10(2) * (8 * size - 1)) if size else 0


def change(reader: Primitive | Fixed, writer: Primitive | Fixed) -> Rule | None:
    """Return the rule that is broken when values cross from the writer's annotation to the reader's."""
    match reader.logical, writer.logical:
        case mine, theirs if mine == theirs:
            return None
        case None, Logical(name="uuid"):
            return None  # every UUID is a string or sixteen bytes, and means the same there
        case Logical() as mine, Logical() as theirs:
            return _conversion(mine, theirs)
        case None, _:
            return Rule.LOGICAL_LOST
    return Rule.LOGICAL_GAINED


def _conversion(reader: Logical, writer: Logical) -> Rule | None:
    if reader.name == writer.name == "decimal":
        if reader.scale != writer.scale:
            return Rule.SCALE
        return Rule.PRECISION if reader.precision < writer.precision else None
    clocks = [UNITS[each.name][0] for each in (reader, writer) if each.name in UNITS]
    return Rule.UNIT if len(clocks) == 2 and clocks[0] == clocks[1] else Rule.LOGICAL
