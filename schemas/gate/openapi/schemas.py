"""Compares two schemas: whether every value that one allows is allowed by the other, and what is wrong if not."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

from schemas.gate.openapi.document import BrokenPartError, Document
from schemas.gate.openapi.limits import check_limits
from schemas.gate.openapi.objects import check_objects
from schemas.gate.openapi.rules import Breach, Breaches, Direction, Kind, breach
from schemas.gate.openapi.shapes import (
    ALL_TYPES,
    FLAGS,
    OPAQUE,
    Shape,
    TooManyAlternativesError,
    are_apart,
    kind_of,
    shapes,
    takes,
    text,
    written_out,
)

_NESTED = {"array", "object"}
_WRITTEN = {"integer", "number", "boolean"}
_ALL_VALUES: dict[str, list[Any]] = {"boolean": [True, False], "null": [None]}


class Comparison:
    """Compares schemas of two documents in one direction.

    A request is fine if all that the old schema allowed is allowed by the new one; a response if all that the new
    schema allows was allowed by the old one. Both are the same question, asked of a narrow and of a wide side.

    Args:
        is_text: Whether values are written without quotation marks, so that a text may be any number, as in a URL.
    """

    def __init__(
        self, direction: Direction, old: Document, new: Document, *, is_text: bool = False
    ) -> None:
        self.direction = direction
        self._documents = old, new
        self._is_text = is_text
        self._narrow, self._wide = (old, new) if self.is_request else (new, old)
        self._assumed: dict[tuple[str, str], None] = {}
        self._failed: dict[tuple[str, str], Breaches] = {}

    @cached_property
    def of_text(self) -> "Comparison":
        return Comparison(self.direction, *self._documents, is_text=True)

    @property
    def is_request(self) -> bool:
        return self.direction is Direction.REQUEST

    def compare(self, old: Any, new: Any) -> Breaches:
        found = self.covered(*((old, new) if self.is_request else (new, old)))
        return (*self.default(old, new), *_once("", found))

    def default(self, old: Any, new: Any) -> Breaches:
        was, is_now = (
            text(side["default"]) if isinstance(side, dict) and "default" in side else None
            for side in (old, new)
        )
        if not self.is_request or was is None or is_now is None or was == is_now:
            return ()
        return (breach(self.direction, Kind.DEFAULT, old=was, new=is_now),)

    def covered(self, narrow: Any, wide: Any) -> Breaches:
        try:
            found = self._compared(shapes(narrow, self._narrow), shapes(wide, self._wide))
            return found + self._ambiguous(narrow, wide)
        except TooManyAlternativesError:
            is_same = self._is_same(narrow, wide)
            return () if is_same else (breach(self.direction, Kind.OPAQUE, keyword="anyOf"),)
        except BrokenPartError:
            return ()  # it has been said of the part

    def _is_same(self, narrow: Any, wide: Any) -> bool:
        return written_out(narrow, self._narrow) == written_out(wide, self._wide)

    def _ambiguous(self, narrow: Any, wide: Any) -> Breaches:
        """Return a breach if a request may fit several alternatives now, where one only is allowed."""
        unions = _unions(wide, self._wide) if self.is_request else []
        known = {written_out(each, self._narrow) for each in _unions(narrow, self._narrow)}
        for union in unions:
            if written_out(union, self._wide) in known:
                continue
            options = [shapes(option, self._wide) for option in union]
            for shape in shapes(narrow, self._narrow):
                if sum(self._may_fit(shape, option) for option in options) > 1:
                    return (breach(self.direction, Kind.AMBIGUOUS),)
        return ()

    def _may_fit(self, shape: Shape, option: list[Shape]) -> bool:
        return any(not are_apart(shape, self._narrow, each, self._wide) for each in option)

    def _compared(self, narrow: list[Shape], wide: list[Shape]) -> Breaches:
        found: dict[Breach, None] = {}
        for shape in (single for several in narrow for single in _singles(several)):
            pairs = [*self._pairs(shape, wide)]
            if pairs:
                found |= dict.fromkeys(_best(self._attempt(*pair) for pair in pairs))
            else:
                found[self._type_breach(narrow, wide)] = None
        return tuple(found)

    def _pairs(self, shape: Shape, wide: list[Shape]) -> Iterator[tuple[Shape, Shape]]:
        """Yield a shape with each wide one that may take it, those of the same tag first."""
        for rival in sorted(
            wide, key=lambda each: each.get("properties") != shape.get("properties")
        ):
            if takes(rival["type"], shape["type"]):
                yield shape, rival
            elif self._is_text and rival["type"] == "string" and shape["type"] in _WRITTEN:
                yield _written(shape), rival

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
            before = len(self._assumed)
            self._assumed[pair] = None
            found = _once(f"{pair}", self._against(narrow, wide))
            if not found:
                return ()
            while len(self._assumed) > before:
                self._assumed.popitem()
            self._failed[pair] = found
        return self._failed[pair]

    def _against(self, narrow: Shape, wide: Shape) -> Iterator[Breach]:
        if "enum" in wide:
            yield from self._values(narrow, wide)
        keywords = {*OPAQUE, FLAGS[not self.is_request]}
        for keyword in sorted(keywords & (narrow.keys() | wide.keys())):
            if not self._is_same(narrow.get(keyword), wide.get(keyword)):
                yield breach(self.direction, Kind.OPAQUE, keyword=keyword)
        if "enum" in narrow and "enum" in wide and narrow["type"] in _NESTED:
            return
        yield from check_limits(self.direction, narrow, wide)
        if narrow["type"] == "array":
            found = self.covered(narrow.get("items", {}), wide.get("items", {}))
            yield from (one.below("items") for one in found)
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


def _best(attempts: Iterable[Breaches]) -> Breaches:
    """Return the attempt that comes closest; after one that succeeds no other is made."""
    found: list[Breaches] = []
    for attempt in attempts:
        if not attempt:
            return ()
        found.append(attempt)
    return min(found, key=_distance)


def _written(shape: Shape) -> Shape:
    if "enum" not in shape:
        return {"type": "string"}
    return {"type": "string", "enum": [text(value) for value in shape["enum"]]}


def _unions(schema: Any, document: Document) -> list[list[Any]]:
    """Return the alternatives of which a schema allows one only, for each `oneOf` of it."""
    parts = _parts(schema, document)
    return [part["oneOf"] for part in parts if isinstance(part, dict) and "oneOf" in part]


def _parts(schema: Any, document: Document, above: frozenset[str] = frozenset()) -> list[Any]:
    """Return the schemas that all hold where one does: its own keywords, its reference, and its `allOf`."""
    if not isinstance(schema, dict):
        return [schema]
    own = {key: value for key, value in schema.items() if key not in {"$ref", "allOf"}}
    found: list[Any] = [own] if own else []
    reference = schema.get("$ref")
    if isinstance(reference, str) and reference not in above:
        found += _parts(document.find(reference), document, above | {reference})
    for part in schema.get("allOf", ()):
        found += _parts(part, document, above)
    return found


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
