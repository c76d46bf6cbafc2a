"""Values of Python as the bytes hold them, by functions chosen once for a schema; what does not fit is refused."""

from collections.abc import Mapping
from typing import Any

from schemas.gate.avro.model import (
    Array,
    Map,
    Record,
    Type,
    Union,
    is_plural,
    type_name,
)
from schemas.json_scalars import PRIMITIVES, UnfitError, unfit
from schemas.scalars import Turn, later, scalar
from schemas.wire import KEY, VALUE, Wire

FLOATS = {"float", "double"}


class PlaceError(ValueError):
    """A value does not fit; the names lead to it, innermost first."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.names = [name]

    def __str__(self) -> str:
        return f"{'.'.join(reversed(self.names))} {self.args[0]}"


class Writing:
    """Finds the functions that make of values what the bytes hold."""

    def __init__(self, wire: Wire) -> None:
        self._branches = wire.branches
        self._found: dict[Record, list[Turn]] = {}

    def turn(self, schema: Type) -> Turn:
        """Return what makes of a value what is written of it; it raises ValueError for what does not fit."""
        match schema:
            case Record():
                return self._record(schema)
            case Union():
                return self._union(schema)
            case Array():
                return _array(self.turn(schema.items))
            case Map():
                return _map(self.turn(schema.values))
            case _:
                return scalar(schema).write

    def _record(self, schema: Record) -> Turn:
        if schema not in self._found:
            self._found[schema] = found = []
            found.append(
                _fields(schema, {each.name: self.turn(each.type) for each in schema.fields})
            )
        found = self._found[schema]
        return found[0] if found else later(found)

    def _union(self, union: Union) -> Turn:
        names = [type_name(branch) for branch in union.branches]
        turns = {
            name: _of_branch(plain, self.turn(branch), is_held=is_plural(union))
            for name, plain, branch in zip(
                names, self._branches[union], union.branches, strict=True
            )
        }
        return _of_several(union, turns) if is_plural(union) else _of_one(turns)


def _of_branch(name: str, turn: Turn, *, is_held: bool) -> Turn:
    if name == "null":
        return turn
    return (
        (lambda value: (name, {VALUE: turn(value)}))
        if is_held
        else lambda value: (name, turn(value))
    )


def _of_one(turns: dict[str, Turn]) -> Turn:
    of_null = turns.pop("null", None)
    if not turns:
        return of_null or _refuse
    [of_other] = turns.values()
    return lambda value: of_other(value) if value is not None or of_null is None else None


def _of_several(union: Union, turns: dict[str, Turn]) -> Turn:
    """Return what writes a value as the type that it comes with, or else as the first that it fits."""
    whole_numbers_first = sorted(turns, key=FLOATS.__contains__)

    def write(value: Any) -> Any:
        match value:
            case (str(name), held) if isinstance(value, tuple) and name in turns:
                return turns[name](held)
        for name in whole_numbers_first if isinstance(value, int) else turns:
            try:
                return turns[name](value)
            except ValueError:
                continue
        raise unfit(str(union), value)

    return write


def _fields(schema: Record, turns: dict[str, Turn]) -> Turn:
    members = tuple(turns.items())

    def write(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping):
            raise unfit(f"a {schema.name}", value)
        if unknown := value.keys() - turns.keys():
            raise PlaceError(str(min(unknown)), f"is no field of {schema.name}")
        name, result = "", {}
        try:  # once, and not in a function for each field: most of the time goes into calls
            for name, turn in members:
                result[name] = turn(value[name])
        except KeyError:
            raise PlaceError(name, "is missing") from None
        except PlaceError as error:
            error.names.append(name)
            raise
        except UnfitError as error:
            raise PlaceError(name, str(error)) from None
        return result

    return write


def _array(turn: Turn) -> Turn:
    def write(value: Any) -> list[Any]:
        if not isinstance(value, list | tuple):
            raise unfit("a list", value)
        return [_placed(str(index), turn, each) for index, each in enumerate(value)]

    return write


def _map(turn: Turn) -> Turn:
    def write(value: Any) -> list[dict[str, Any]]:
        if not isinstance(value, Mapping):
            raise unfit("a mapping", value)
        return [
            {KEY: PRIMITIVES["string"].take(key), VALUE: _placed(str(key), turn, each)}
            for key, each in value.items()
        ]

    return write


def _placed(name: str, turn: Turn, value: Any) -> Any:
    try:
        return turn(value)
    except PlaceError as error:
        error.names.append(name)
        raise
    except UnfitError as error:
        raise PlaceError(name, str(error)) from None


def _refuse(value: Any) -> Any:
    raise unfit("nothing at all", value)
