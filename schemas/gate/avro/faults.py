"""What is wrong with an Avro schema by itself: defaults that do not fit, aliases that clash, annotations in vain."""

import json
from collections import Counter
from collections.abc import Iterator

from schemas.defaults import default_of
from schemas.gate.avro.model import (
    NO_DEFAULT,
    Field,
    Fixed,
    Place,
    Primitive,
    Record,
    Type,
    children,
    named_types,
)
from schemas.gate.finding import Finding


def faults(subject: str, schema: Type) -> list[Finding]:
    found = [*_walk(schema, Place(), set()), *_aliases(schema)]
    return [
        Finding(subject=subject, path=str(place), rule=rule, problem=problem, fix=fix)
        for place, rule, problem, fix in found
    ]


Fault = tuple[Place, str, str, str]


def _walk(schema: Type, place: Place, met: set[int]) -> Iterator[Fault]:
    if id(schema) in met:
        return
    met.add(id(schema))
    if isinstance(schema, Primitive | Fixed) and schema.ignored:
        yield _ignored(schema, place)
    if isinstance(schema, Record):
        for index, field in enumerate(schema.fields):
            yield from _field(field, schema, place.field(index, field.name))
    for child, inner in children(schema, place):
        yield from _walk(child, inner, met)


def _ignored(schema: Primitive | Fixed, place: Place) -> Fault:
    base = schema.kind if isinstance(schema, Primitive) else f"fixed of {schema.size} bytes"
    return (
        place.at("logicalType"),
        "logical-type-ignored",
        f"{schema.ignored} is not valid on {base} as it stands here; every reader ignores it and sees the bare value",
        "Correct its base type, precision or scale, or take it away",
    )


def _field(field: Field, record: Record, place: Place) -> Iterator[Fault]:
    if field.default is not NO_DEFAULT:
        yield from _default(field, place.at("default"))
    for alias in field.aliases:
        others = [each for each in record.fields if each is not field]
        if any(alias == each.name for each in others):
            yield _repeated(alias, "the name of another field", place)
        elif any(alias in each.aliases for each in others):
            yield _repeated(alias, "an alias of another field", place)


def _default(field: Field, place: Place) -> Iterator[Fault]:
    try:
        default_of(field.type, field.default)
    except (ValueError, ArithmeticError, RecursionError):
        yield (
            place,
            "default-invalid",
            f"the default {json.dumps(field.default)} is not a value of {field.type}; a consumer that needs it fails",
            "Give a default that the type allows, or allow the default's type",
        )


def _aliases(schema: Type) -> Iterator[Fault]:
    """Yield aliases of types that are names or aliases of others: Java renames what was written all over a schema."""
    named = dict(named_types(schema))
    names = Counter(name for each in named for name in {each.name, *each.aliases})
    for each, place in named.items():
        for alias in each.aliases:
            if alias != each.name and names[alias] > 1:
                yield _repeated(alias, "the name or an alias of another type", place)


def _repeated(alias: str, whose: str, place: Place) -> Fault:
    return (
        place.at("aliases"),
        "alias-not-unique",
        f"the alias {alias} is also {whose}; decoders disagree on which one is read",
        f"Take the alias {alias} away",
    )
