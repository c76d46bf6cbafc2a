"""How the types of Avro are written in Python: as annotations, and as the expressions that lead to data and back."""

from collections.abc import Callable
from dataclasses import dataclass

from schemas.gate.avro.model import Primitive, Type, type_name
from schemas.json_scalars import same
from schemas.scalars import scalar

Expression = Callable[[str], str]
"""Takes the text of an expression and returns that of another, made of it."""


@dataclass(frozen=True, slots=True)
class Kind:
    """How one Avro type is written in Python."""

    annotation: str
    base: str
    name: str
    to_avro: Expression = same
    from_avro: Expression = same
    is_forward: bool = False


def simple(schema: Type) -> Kind:
    """Return the form of a type that is neither a class of ours nor made of others."""
    if isinstance(schema, Primitive) and schema.kind == "null":
        return Kind("None", "None", "null")
    held = scalar(schema).type.__name__  # type: ignore[arg-type]
    return Kind(held, held, type_name(schema))


def array(of: Kind, number: int) -> Kind:
    """Return the form of an array; the number tells its variables from those around."""
    item = f"item{number or ''}"

    def each(convert: Expression, whole: str, around: str) -> Expression:
        if convert is same:
            return lambda value: f"{whole}({value})"
        return lambda value: around.format(f"{convert(item)} for {item} in {value}")

    return Kind(
        f"tuple[{of.annotation}, ...]",
        "tuple",
        "array",
        each(of.to_avro, "list", "[{}]"),
        each(of.from_avro, "tuple", "tuple({})"),
        of.is_forward,
    )


def mapping(of: Kind, number: int) -> Kind:
    """Return the form of a map; the number tells its variables from those around."""
    key, item = f"key{number or ''}", f"item{number or ''}"

    def each(convert: Expression) -> Expression:
        if convert is same:
            return lambda value: f"dict({value})"
        return lambda value: f"{{{key}: {convert(item)} for {key}, {item} in {value}.items()}}"

    return Kind(
        f"Mapping[str, {of.annotation}]",
        "Mapping",
        "map",
        each(of.to_avro),
        each(of.from_avro),
        of.is_forward,
    )


def union(kinds: list[Kind]) -> Kind:
    """Return the form of a union, whose values come with the names of their types if there are several."""
    others = [kind for kind in kinds if kind.name != "null"]
    is_optional = len(others) < len(kinds)
    annotations = [*dict.fromkeys(kind.annotation for kind in others)]
    return Kind(
        " | ".join(annotations + ["None"] * is_optional) or "Never",
        "",
        "union",
        _unless_none(_to_avro(others), is_optional=is_optional),
        _unless_none(_from_avro(others), is_optional=is_optional),
        any(kind.is_forward for kind in kinds),
    )


def _unless_none(convert: Expression, *, is_optional: bool) -> Expression:
    if convert is same or not is_optional:
        return convert
    return lambda value: f"None if {value} is None else {convert(value)}"


def _to_avro(kinds: list[Kind]) -> Expression:
    """Return what names the type of a value; where Python has one class for two of them, the encoder finds it out."""
    if len(kinds) < 2:
        return kinds[0].to_avro if kinds else same
    bases = [kind.base for kind in kinds]
    alone = sorted((kind for kind in kinds if bases.count(kind.base) == 1), key=_is_general)
    shared = len(alone) < len(kinds)
    if not alone:
        return same

    def convert(value: str) -> str:
        pairs = [(kind, f'("{kind.name}", {kind.to_avro(value)})') for kind in alone]
        last = value if shared else pairs.pop()[1]
        return (
            "".join(
                f"{pair} if isinstance({value}, {_test(kind.base, bases)}) else "
                for kind, pair in pairs
            )
            + last
        )

    return convert


def _test(base: str, bases: list[str]) -> str:
    """Return the classes that stand for a type; where a float may be, Python takes an int for one."""
    return "int | float" if base == "float" and "int" not in bases and "bool" not in bases else base


def _is_general(kind: Kind) -> bool:
    """Tell whether instances of another class are instances of this one's too; those are asked for first."""
    return kind.base in {"int", "date", "str"}


def _from_avro(kinds: list[Kind]) -> Expression:
    if len(kinds) < 2:
        return kinds[0].from_avro if kinds else same
    converted = [kind for kind in kinds if kind.from_avro is not same]

    def convert(value: str) -> str:
        texts = [(kind.name, kind.from_avro(f"{value}[1]")) for kind in converted]
        last = f"{value}[1]" if len(texts) < len(kinds) else texts.pop()[1]
        return "".join(f'{text} if {value}[0] == "{name}" else ' for name, text in texts) + last

    return convert
