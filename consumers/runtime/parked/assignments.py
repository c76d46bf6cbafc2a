"""Changing single places of a message: `currency=EUR`, `lines.0.quantity=2`."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from consumers.runtime.parked.payload import parse_json
from schemas.gate.avro.model import Array, Map, Record, Type, Union, type_name
from schemas.json_form import FormError, JsonForm, place, without_null


@dataclass(frozen=True, slots=True)
class Assignment:
    """A place and what is to stand there.

    Args:
        path: Field names, indexes and keys that lead there.
        text: The new value, as JSON or as plain text, whichever fits.
    """

    path: tuple[str, ...]
    text: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `path=value`.

        Raises:
            ValueError: it is none.
        """
        path, equals, value = text.partition("=")
        steps = tuple(path.strip().split("."))
        if not equals or not all(steps):
            raise ValueError(f"{text} is no path=value such as currency=EUR or lines.0.quantity=2")
        return cls(steps, value)


def changed(form: JsonForm, value: Any, assignments: Iterable[Assignment]) -> Any:
    """Return a message with other values in some places; the one that is given stays as it is.

    Args:
        form: The schema of the message.
        value: The message as JSON.
        assignments: What is to stand where, in the order in which it is put there.

    Raises:
        FormError: a place does not exist, or what is to stand there does not fit.
    """
    value = copy.deepcopy(value)
    for assignment in assignments:
        _assign(form, value, assignment)
    return value


def _assign(form: JsonForm, document: Any, assignment: Assignment) -> None:
    schema: Type = form.schema
    holder = document
    *steps, last = assignment.path
    for number, step in enumerate(steps):
        schema, key = _step(schema, holder, step, assignment.path[:number])
        if isinstance(holder, dict) and key not in holder:
            raise FormError(
                f"{place(assignment.path[: number + 1])} is missing; give it as a whole"
            )
        holder = holder[key]
    schema, key = _step(schema, holder, last, tuple(steps))
    holder[key] = _fitting(form, schema, assignment)


def _step(schema: Type, value: Any, step: str, before: tuple[str, ...]) -> tuple[Type, Any]:
    """Return the type that is one step further, and the key that leads there in the JSON."""
    if value is None:
        raise FormError(f"{place(before)} is null; give it a value as a whole, in JSON")
    match without_null(schema):
        case Union(branches=branches):
            for branch in branches:
                if step in value and type_name(branch) == step:
                    return branch, step
            raise FormError(f"{place(before)} is of type {next(iter(value))}, not {step}")
        case Record() as record:
            if field := record.field(step):
                return field.type, step
            names = ", ".join(field.name for field in record.fields)
            raise FormError(
                f"{place((*before, step))} is no field of {record.name}, which has {names}"
            )
        case Array(items=items):
            if step in map(str, range(len(value))):
                return items, int(step)
            raise FormError(
                f"{place(before)} has {len(value)} items, counted from 0, and no item {step}"
            )
        case Map(values=values):
            if step in value:
                return values, step
            raise FormError(f"{place(before)} has no entry {step}")
    raise FormError(f"{place(before)} is a single value and has no {step}")


def _fitting(form: JsonForm, schema: Type, assignment: Assignment) -> Any:
    """Return the text as the JSON that it is, if that fits, or as plain text, if that does.

    `null` is never taken for a text of four letters: whoever means that writes it in quotes.
    """
    try:
        value = parse_json(assignment.text)
    except FormError:
        value = assignment.text
    if value is None or form.fits(schema, value) or not form.fits(schema, assignment.text):
        return value
    return assignment.text
