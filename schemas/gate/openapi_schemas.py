"""Compares two schemas: whether every value that one allows is allowed by the other, and what is wrong if not."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from schemas.gate.openapi_document import Document
from schemas.gate.openapi_limits import check_limits
from schemas.gate.openapi_objects import check_objects
from schemas.gate.openapi_rules import Breach, Breaches, Direction, Kind, breach
from schemas.gate.openapi_shapes import ALL_TYPES, Shape, kind_of, shapes, takes, text

_NESTED = {"array", "object"}
_ALL_VALUES: dict[str, list[Any]] = {"boolean": [True, False], "null": [None]}


class Comparison:
    """Compares schemas of two documents in one direction.

    A request is fine if all that the old schema allowed is allowed by the new one; a response if all that the new
    schema allows was allowed by the old one. Both are the same question, asked of a narrow and of a wide side.

    Args:
        direction: Whether the schemas describe requests or responses.
        old: The document before the change.
        new: The document after it.
    """

    def __init__(self, direction: Direction, old: Document, new: Document) -> None:
        self.direction = direction
        self._narrow, self._wide = (old, new) if self.is_request else (new, old)
        self._assumed: set[tuple[str, str]] = set()
        self._failed: dict[tuple[str, str], Breaches] = {}

    @property
    def is_request(self) -> bool:
        """Whether requests are compared, so that the narrow side is the old one."""
        return self.direction is Direction.REQUEST

    def compare(self, old: Any, new: Any) -> Breaches:
        """Return what is wrong with the change from one schema to another.

        Raises:
            UnknownReferenceError: a schema refers to something that its document does not contain.
        """
        found = self.covered(*((old, new) if self.is_request else (new, old)))
        return (*self.default(old, new), *_once("", found))

    def default(self, old: Any, new: Any) -> Breaches:
        """Return a breach if a request that leaves a value out means another value now."""
        was, is_now = (
            text(side["default"]) if isinstance(side, dict) and "default" in side else None
            for side in (old, new)
        )
        if not self.is_request or was is None or is_now is None or was == is_now:
            return ()
        return (breach(self.direction, Kind.DEFAULT, old=was, new=is_now),)

    def covered(self, narrow: Any, wide: Any) -> Breaches:
        """Return why not every value of the narrow schema is allowed by the wide one."""
        return self._compared(shapes(narrow, self._narrow), shapes(wide, self._wide))

    def _compared(self, narrow: list[Shape], wide: list[Shape]) -> Breaches:
        """Return the breaches of every narrow shape against the wide one that it comes closest to."""
        found: dict[Breach, None] = {}
        for shape in (single for several in narrow for single in _singles(several)):
            rivals = [rival for rival in wide if takes(rival["type"], shape["type"])]
            if rivals:
                attempts: list[Breaches] = [self._attempt(shape, rival) for rival in rivals]
                closest = min(attempts, key=_distance)
                found |= dict.fromkeys(closest)
            else:
                found[self._type_breach(narrow, wide)] = None
        return tuple(found)

    def _type_breach(self, narrow: list[Shape], wide: list[Shape]) -> Breach:
        old, new = (narrow, wide) if self.is_request else (wide, narrow)
        return breach(self.direction, Kind.TYPE, old=_types(old), new=_types(new))

    def _attempt(self, narrow: Shape, wide: Shape) -> Breaches:
        """Return why not every value of one shape is allowed by another that takes its type.

        A pair that is met again within itself is taken to be fine: what is wrong with it is found at its first meeting.
        What rested on such an assumption is forgotten if the assumption fails.
        """
        if narrow["type"] not in _NESTED:
            return tuple(self._against(narrow, wide))
        pair = text(narrow), text(wide)
        if pair in self._assumed:
            return ()
        if pair not in self._failed:
            before = set(self._assumed)
            self._assumed.add(pair)
            found = _once("\n".join(pair), self._against(narrow, wide))
            if not found:
                return ()
            self._assumed = before
            self._failed[pair] = found
        return self._failed[pair]

    def _against(self, narrow: Shape, wide: Shape) -> Iterator[Breach]:
        if "enum" in wide:
            yield from self._values(narrow, wide)
        if "enum" in narrow and "enum" in wide and narrow["type"] in _NESTED:
            return
        yield from check_limits(self.direction, narrow, wide)
        if narrow["type"] == "array":
            yield from self._items(narrow, wide)
        if narrow["type"] == "object":
            yield from check_objects(self, narrow, wide)

    def _values(self, narrow: Shape, wide: Shape) -> Iterator[Breach]:
        allowed = [text(value) for value in wide["enum"]]
        if "enum" in narrow:
            lost = [value for value in map(text, narrow["enum"]) if value not in allowed]
            yield from (breach(self.direction, Kind.VALUE, value=value) for value in lost)
        else:
            words = {"values": " or ".join(allowed), "type": narrow["type"]}
            yield breach(self.direction, Kind.ANY_VALUE, **words)

    def _items(self, narrow: Shape, wide: Shape) -> Iterator[Breach]:
        positions = max(len(shape.get("prefixItems", ())) for shape in (narrow, wide))
        most = narrow.get("maxItems", positions + 1)
        for index in range(min(positions, most)):
            found = self.covered(_item(narrow, index), _item(wide, index))
            yield from (one.below(str(index)) for one in found)
        if most > positions:
            found = self.covered(narrow.get("items", {}), wide.get("items", {}))
            yield from (one.below("items") for one in found)


def _singles(shape: Shape) -> list[Shape]:
    """Return one shape for each value that a shape names: they may be covered by different shapes."""
    values = shape.get("enum", _ALL_VALUES.get(shape["type"]))
    if values is None:
        return [shape]
    return [shape | {"enum": [value], "type": kind_of(value)} for value in values]


def _distance(attempt: Breaches) -> tuple[bool, int]:
    """Rank an attempt: a shape whose tag says another value is further off than one with many differences."""
    return any(len(one.path) == 1 and one.is_about_a_value for one in attempt), len(attempt)


def _once(origin: str, breaches: Iterable[Breach]) -> Breaches:
    """Return the breaches below a pair of shapes, each at the nearest place where the same shapes are met.

    Otherwise there would be one for every way through schemas that refer to each other.
    """
    nearest: dict[tuple[str, str], Breach] = {}
    for found in breaches:
        one = found if found.origin else replace(found, origin=f"{found.path}\n{origin}")
        known = nearest.setdefault((one.origin, one.problem), one)
        if len(one.path) < len(known.path):
            nearest[one.origin, one.problem] = one
    return tuple(nearest.values())


def _types(found: list[Shape]) -> str:
    kinds = sorted(dict.fromkeys(shape["type"] for shape in found), key=lambda kind: kind == "null")
    if set(ALL_TYPES) <= set(kinds):
        return "anything"
    return " or ".join(kinds) or "nothing"


def _item(shape: Shape, index: int) -> Any:
    first = shape.get("prefixItems", [])
    return first[index] if index < len(first) else shape.get("items", {})
