"""Which changes of an enum break its readers and writers, value by value."""

from collections.abc import Iterator

from schemas.gate.finding import Finding
from schemas.gate.proto_model import Enum, Value
from schemas.gate.proto_place import Place, dropped_reservations, not_reserved


def check_enum(place: Place, old: Enum, new: Enum) -> Iterator[Finding]:
    """Yield what is wrong with an enum after the change. New values are welcome: proto3 keeps unknown numbers."""
    zero, new_zero = _zero(old), _zero(new)
    moved: set[str] = set()
    if zero and new_zero and zero.name != new_zero.name:
        moved = {zero.name, new_zero.name}
        yield _zero_changed(place, zero, new_zero)
    names = {value.name: value for value in new.values}
    for value in old.values:
        same = names.get(value.name)
        if value.name in moved:
            continue
        if same is None:
            yield from _gone(place, value, old, new)
        elif same.number != value.number:
            yield _renumbered(place, value, same)
    yield from dropped_reservations(place, old.reserved, new.reserved)


def _zero(enum: Enum) -> Value | None:
    """Return the value that an unset field has: the first one with the number 0."""
    return next((value for value in enum.values if value.number == 0), None)


def _zero_changed(place: Place, old: Value, new: Value) -> Finding:
    problem = (
        f"the zero value went from {old.name} to {new.name}; every field that was never set now "
        "says something else"
    )
    fix = f"Keep {old.name} = 0"
    return place.finding(old.name, "enum-zero-changed", problem, fix, line=new.line)


def _gone(place: Place, value: Value, old: Enum, new: Enum) -> Iterator[Finding]:
    """Yield a finding unless the value's number and name were reserved."""
    known = {other.name for other in old.values}
    heirs = [other for other in new.values if other.number == value.number]
    heir = next((other for other in heirs if other.name not in known), None)
    if heir is not None:
        problem = (
            f"value {value.number} was renamed to {heir.name}; code that uses the old name no "
            "longer compiles, and JSON with the old name is not understood"
        )
        fix = f"Keep the name {value.name}, or give {heir.name} a number of its own"
        yield place.finding(value.name, "enum-value-renamed", problem, fix, line=heir.line)
        return
    if heirs and value.name not in new.reserved.names:
        yield _not_reserved(place, value, f'name "{value.name}"')
        return
    if heirs:
        problem = (
            f"the name {value.name} of value {value.number} was removed; code that uses it no longer "
            "compiles, and JSON with it is not understood"
        )
        fix = f"Keep {value.name} as an alias"
        yield place.finding(value.name, "enum-value-renamed", problem, fix, line=heirs[0].line)
        return
    missing = not_reserved(new.reserved, value.number, value.name)
    if missing:
        yield _not_reserved(place, value, missing)


def _not_reserved(place: Place, value: Value, missing: str) -> Finding:
    problem = (
        f"value {value.number} was removed without being reserved; what an old client means by "
        "it would be given a new meaning some day"
    )
    return place.finding(value.name, "enum-value-not-reserved", problem, f"Reserve {missing}")


def _renumbered(place: Place, old: Value, new: Value) -> Finding:
    problem = (
        f"the number went from {old.number} to {new.number}; old and new programs mean different "
        "values by one number"
    )
    fix = f"Give {old.name} its number {old.number} back"
    return place.finding(old.name, "enum-value-renumbered", problem, fix, line=new.line)
