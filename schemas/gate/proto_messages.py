"""Which changes of a message break its readers and writers, field by field."""

from collections.abc import Iterator

from schemas.gate.finding import Finding
from schemas.gate.proto_model import Field, Message
from schemas.gate.proto_place import Place, check_options, dropped_reservations, not_reserved

_SAME_WIRE = (
    frozenset({"int32", "int64", "uint32", "uint64", "bool", "enum"}),
    frozenset({"sint32", "sint64"}),
    frozenset({"fixed32", "sfixed32"}),
    frozenset({"fixed64", "sfixed64"}),
    frozenset({"string", "bytes"}),
)
"""Kinds that are written alike, as the Protocol Buffers language guide lists them."""

_CARDINALITY_COST = {
    "repeated": "an old program reads one element of a list, or a list where there is one value",
    "map": "an old program reads the entries of a map as something else",
}
_PRESENCE_COST = "generated code gains or loses the question whether the field is set"


def check_message(place: Place, old: Message, new: Message) -> Iterator[Finding]:
    """Yield what is wrong with a message after the change."""
    by_name = {field.name: field for field in new.fields}
    for field in old.fields:
        same = by_name.get(field.name)
        if same is None:
            yield from _gone(place, field, old, new)
        elif same.number != field.number:
            yield _renumbered(place, field, same)
        else:
            yield from _changed(place, field, same)
    left = {field.oneof for field in old.fields if field.name in by_name}  # of these that is said
    for oneof in sorted(set(old.oneofs) - set(new.oneofs) - left):
        problem = "the oneof was removed or renamed; code that asks which of its fields is set no longer fits"
        yield place.finding(oneof, "oneof-removed", problem, f"Keep the oneof {oneof}")
    yield from dropped_reservations(place, old.reserved, new.reserved)


def _gone(place: Place, field: Field, old: Message, new: Message) -> Iterator[Finding]:
    """Yield a finding unless the field's number and name were reserved."""
    heir = next((other for other in new.fields if other.number == field.number), None)
    if heir is not None and heir.name not in {other.name for other in old.fields}:
        yield _renamed(place, field, heir) if _alike(field, heir) else _reused(place, field, heir)
        return
    missing = not_reserved(new.reserved, field.number, field.name)
    if missing is None:
        return
    if new.reserved.has_number(field.number):
        problem = (
            f"field {field.number} was removed, and its name is not reserved; JSON that an old "
            "client writes would be read as another field some day"
        )
    else:
        problem = (
            f"field {field.number} was removed without being reserved; an old client's field "
            f"{field.number} would be given a new meaning some day"
        )
    yield place.finding(field.name, "field-not-reserved", problem, f"Reserve {missing}")


def _alike(old: Field, new: Field) -> bool:
    return (old.type, old.cardinality, old.oneof) == (new.type, new.cardinality, new.oneof)


def _renamed(place: Place, old: Field, new: Field) -> Finding:
    problem = (
        f"field {old.number} was renamed to {new.name}; code that uses the old name no longer "
        "compiles, and JSON with the old name is not understood"
    )
    fix = f"Keep the name {old.name}, or add {new.name} with a number of its own"
    return place.finding(old.name, "field-renamed", problem, fix, line=new.line)


def _reused(place: Place, old: Field, new: Field) -> Finding:
    problem = (
        f"number {old.number} now belongs to {new.name} ({_shown(new)}); what an old client "
        f"writes as {old.name} ({_shown(old)}) is read as something else"
    )
    fix = (
        f'Give {new.name} a number of its own and reserve number {old.number} and name "{old.name}"'
    )
    return place.finding(old.name, "field-number-reused", problem, fix, line=new.line)


def _renumbered(place: Place, old: Field, new: Field) -> Finding:
    problem = (
        f"the number went from {old.number} to {new.number}; old and new programs no longer find "
        "the field in each other's messages"
    )
    fix = f"Give {old.name} its number {old.number} back"
    return place.finding(old.name, "field-renumbered", problem, fix, line=new.line)


def _changed(place: Place, old: Field, new: Field) -> Iterator[Finding]:
    """Yield what changed about a field that kept name and number."""
    if old.cardinality != new.cardinality:
        cost = _CARDINALITY_COST.get(old.cardinality) or _CARDINALITY_COST.get(new.cardinality)
        problem = f"went from {_shown(old)} to {_shown(new)}; {cost or _PRESENCE_COST}"
        yield _refused(place, new, "field-cardinality-changed", problem, _shown(old))
    elif old.type != new.type:
        problem = f"the type went from {old.type} to {new.type}; {_type_cost(old, new)}"
        yield _refused(place, new, "field-type-changed", problem, old.type)
    if old.oneof != new.oneof:
        problem = f"was {_membership(old)} and is now {_membership(new)}; {_oneof_cost(old, new)}"
        yield _refused(place, new, "field-oneof-changed", problem, f"it {_membership(old)}")
    if old.json_name != new.json_name:
        problem = (
            f'the JSON name went from "{old.json_name}" to "{new.json_name}"; JSON with the old '
            "name is not understood"
        )
        yield _refused(place, new, "field-json-name-changed", problem, f'"{old.json_name}"')
    yield from check_options(place, new.name, old.options, new.options, new.line)


def _refused(place: Place, new: Field, rule: str, problem: str, kept: str) -> Finding:
    fix = f"Keep {kept}, or add a field with a name and a number of its own"
    return place.finding(new.name, rule, problem, fix, line=new.line)


def _type_cost(old: Field, new: Field) -> str:
    if any(old.kind in kinds and new.kind in kinds for kinds in _SAME_WIRE):
        return (
            "both are written alike on the wire, but code generated from the old type does not "
            "fit the new one, and values that the other side cannot hold arrive changed"
        )
    if old.kind == new.kind:
        return "code that was generated from the old type does not fit the new one"
    return "an old program loses or misreads what a new one writes"


def _shown(field: Field) -> str:
    plain = field.cardinality in {"singular", "map"}
    return field.type if plain else f"{field.cardinality} {field.type}"


def _membership(field: Field) -> str:
    return f"in oneof {field.oneof}" if field.oneof else "outside any oneof"


def _oneof_cost(old: Field, new: Field) -> str:
    if old.oneof and new.oneof:
        return "code that asks which of them is set asks by the oneof's name"
    return "an old program may set it together with fields that now exclude each other, or the other way round"
