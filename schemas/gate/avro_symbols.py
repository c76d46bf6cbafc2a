"""Finds enum symbols that were removed where a default hides it: old events then read as something they never said.

By Avro's rules a reader takes its default for a symbol that it does not know. That is what lets an enum grow; when one
shrinks, it falsifies what was written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schemas.gate.avro_model import Array, Enum, Map, Place, Record, Type, Union, children
from schemas.gate.finding import Finding
from schemas.gate.modes import Version


def forgotten(subject: str, new: Type, olds: Sequence[Version]) -> list[Finding]:
    """Return a finding for every enum that lost symbols and reads them as its default.

    Args:
        subject: What the findings call it.
        new: The schema that is to be published.
        olds: The published ones that it must read.
    """
    hiding = {
        place: enum for enum, place in _enums(new, Place(), set()) if enum.default is not None
    }
    lost: dict[Place, dict[str, None]] = {}
    for old in olds if hiding else ():
        was = {place.names: enum.symbols for enum, place in _enums(old.schema, Place(), set())}
        for place, enum in hiding.items():
            gone = [each for each in was.get(place.names, ()) if each not in enum.symbols]
            if gone:
                lost.setdefault(place, {}).update(dict.fromkeys(gone))
    return [_finding(subject, place, hiding[place], symbols) for place, symbols in lost.items()]


def _finding(subject: str, place: Place, enum: Enum, symbols: dict[str, None]) -> Finding:
    return Finding(
        subject=subject,
        path=str(place.at("symbols")),
        rule="enum-symbol-removed",
        problem=f"symbols removed: {', '.join(symbols)}; a consumer that reads old events takes them for "
        f"{enum.default}, and no error tells",
        fix="Put them back, and say in the doc that they are no longer written",
    )


def _enums(schema: Type, place: Place, met: set[int]) -> Iterator[tuple[Enum, Place]]:
    """Yield every enum with its place; one that is used in several places, at the first."""
    if id(schema) in met:
        return
    met.add(id(schema))
    if isinstance(schema, Enum):
        yield schema, place
    elif isinstance(schema, Array | Map | Union | Record):
        for child, inner in children(schema, place):
            yield from _enums(child, inner, met)
