"""Changing single places of a message: `currency=EUR`, `lines.0.quantity=2`."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

from consumers.runtime.parked.payload import parse_json
from schemas.json_form import FormError, JsonForm, place


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
    schema, holder = form.root, document
    *steps, last = assignment.path
    for number, step in enumerate(steps):
        schema, key = _step(form, schema, holder, step, assignment.path[:number])
        if isinstance(holder, dict) and key not in holder:
            raise FormError(
                f"{place(assignment.path[: number + 1])} is missing; give it as a whole"
            )
        holder = holder[key]
    schema, key = _step(form, schema, holder, last, tuple(steps))
    holder[key] = _fitting(form, schema, assignment)


def _step(
    form: JsonForm, schema: Any, value: Any, step: str, before: tuple[str, ...]
) -> tuple[Any, Any]:
    """Return the type that is one step further, and the key that leads there in the JSON."""
    node = form.resolved(schema)
    if value is None:
        raise FormError(f"{place(before)} is null; give it a value as a whole, in JSON")
    if isinstance(node, list):
        branch = form.branch(node, step)
        if step in value and branch is not None:
            return branch, step
        raise FormError(f"{place(before)} is of type {next(iter(value))}, not {step}")
    match node["type"]:
        case "record" | "error":
            for field in node["fields"]:
                if field["name"] == step:
                    return field["type"], step
            names = ", ".join(field["name"] for field in node["fields"])
            raise FormError(
                f"{place((*before, step))} is no field of {node['name']}, which has {names}"
            )
        case "array":
            if step in map(str, range(len(value))):
                return node["items"], int(step)
            raise FormError(
                f"{place(before)} has {len(value)} items, counted from 0, and no item {step}"
            )
        case "map":
            if step in value:
                return node["values"], step
            raise FormError(f"{place(before)} has no entry {step}")
    raise FormError(f"{place(before)} is a single value and has no {step}")


def _fitting(form: JsonForm, schema: Any, assignment: Assignment) -> Any:
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
