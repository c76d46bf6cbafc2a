"""The value of a parked message as JSON, and back: by the schema it was written with, or the one its type has now."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from schemas.codec import HEADER, MAGIC, announced_id
from schemas.contracts import canonical
from schemas.datum import UndecodableError
from schemas.json_form import FormError, JsonForm, Path, place
from schemas.registry import SchemaStore, UnknownSchemaError

SHOWN_BYTES = 48
"""Bytes of an undecodable value that are shown."""


@dataclass(frozen=True, slots=True)
class Wire:
    """A schema and the id that announces it.

    Args:
        schema_id: Id in the registry.
        form: The schema, as JSON is read and written by it.
    """

    schema_id: int
    form: JsonForm

    def encode(self, value: Any) -> bytes:
        """Return the record value that says something.

        Raises:
            FormError: it does not fit the schema.
        """
        return HEADER.pack(MAGIC, self.schema_id) + self.form.write(value)


@dataclass(frozen=True, slots=True)
class Payload:
    """What a record value says.

    Args:
        wire: What it was written with.
        value: The message as JSON.
    """

    wire: Wire
    value: Any


class Payloads:
    """Decodes and encodes values of any message.

    Args:
        store: Where schema ids and texts come from.
    """

    def __init__(self, store: SchemaStore) -> None:
        self._store = store

    def read(self, data: bytes | None) -> Payload:
        """Return what a value says, field by field as it was written, whether or not a consumer can make sense of it.

        Raises:
            UndecodableError: the bytes are no Avro record in the wire format.
            RegistryUnavailableError: the schema is not cached and the registry cannot be asked.
        """
        if data is None:
            raise UndecodableError("the record has no value: it is a tombstone")
        schema_id = announced_id(data)
        try:
            wire = Wire(schema_id, self._form(schema_id))
            return Payload(wire, wire.form.read(data[HEADER.size :]))
        except (UnknownSchemaError, FormError) as error:
            raise UndecodableError(str(error)) from error

    def _form(self, schema_id: int) -> JsonForm:
        text = self._store.schema_of(schema_id)
        try:
            return JsonForm(json.loads(text))
        except Exception as error:  # whatever becomes of a JSON Schema, a .proto or a lone "string"
            raise UndecodableError(
                f"the schema of id {schema_id} is no Avro record: {error!r}"
            ) from error

    def current(self, type_: str) -> Wire:
        """Return the schema that a message has now.

        Args:
            type_: Full name of the message.

        Raises:
            LookupError: there is no such message, or its schema was never published.
            RegistryUnavailableError: the id is not cached and the registry cannot be asked.
        """
        schema = json.loads(canonical(type_))
        return Wire(self._store.id_of(type_), JsonForm(schema))


def first_bytes(data: bytes) -> str:
    """Return the beginning of a value in hexadecimal."""
    shown = data[:SHOWN_BYTES].hex(" ")
    more = len(data) - SHOWN_BYTES
    return f"{shown} and {more} bytes more" if more > 0 else shown


def differences(before: Any, after: Any, path: Path = ()) -> Iterator[tuple[str, Any, Any]]:
    """Yield the places at which two messages differ, with what stands there; a place that one lacks holds None.

    Args:
        before: One message as JSON.
        after: The other.
        path: Where these two stand in a larger message.
    """
    if isinstance(before, dict) and isinstance(after, dict):
        for key in dict.fromkeys([*before, *after]):
            yield from differences(before.get(key), after.get(key), (*path, key))
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from differences(old, new, (*path, str(number)))
    elif before != after:
        yield place(path), before, after


def parse_json(text: str) -> Any:
    """Read JSON without changing a digit of it.

    Raises:
        FormError: it is no JSON, or an object names a member twice.
    """
    try:
        return json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_without_repetition,
        )
    except FormError:
        raise
    # of numbers too: more digits than Python reads, an exponent beyond those of decimals
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise FormError(f"this is no JSON: {error}") from error


def _refuse_constant(name: str) -> Any:
    raise FormError(f'this is no JSON: write "{name}" in quotes')


def _without_repetition(members: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in members]
    if twice := {name for name in names if names.count(name) > 1}:
        raise FormError(f"{', '.join(sorted(twice))} stands twice in one object")
    return dict(members)
