"""Changing values of any kind in place, and comparing them field by field."""

import difflib
from collections.abc import Collection, Mapping, MutableMapping, MutableSequence, MutableSet
from collections.abc import Set as AbstractSet
from copy import deepcopy
from dataclasses import fields, is_dataclass
from enum import Enum
from pprint import pformat
from typing import Any

WIDTH = 110


class Unordered(list[Any]):
    """Values whose order means nothing, such as the rows of a table."""


class Tables(dict[str, Unordered]):
    """The rows of each table of a service, each a dict by columns."""


def require_changeable(value: object) -> None:
    """Refuse a value that `overwrite` cannot change.

    Raises:
        TypeError: it is no dict, list or set, and has no attributes.
    """
    if not isinstance(value, MutableMapping | MutableSequence | MutableSet) and not _attributes(
        value
    ):
        raise TypeError(
            f"{value!r} cannot be changed by handlers; use a dict, a list, a set or an object with attributes"
        )


def overwrite(target: Any, source: Any) -> None:
    """Make a value equal to another one of its kind, in place.

    Args:
        source: What it becomes like; not to be used afterwards, as its parts become the target's.
    """
    parts = {id(source): target}  # what refers back to the whole will refer to the target
    if isinstance(target, MutableMapping):
        target.clear()
        for key, value in source.items():
            target[key] = deepcopy(value, parts)
    elif isinstance(target, MutableSequence):
        target.clear()
        target.extend(deepcopy(list(source), parts))
    elif isinstance(target, MutableSet):
        target.clear()
        for value in source:
            target.add(value)
    for name in _attributes(target):
        if not hasattr(source, name):
            object.__delattr__(target, name)
    for name in _attributes(source):
        object.__setattr__(target, name, deepcopy(getattr(source, name), parts))


def plain(value: Any, ignoring: Collection[str] = ()) -> Any:
    """Return a value as dicts and lists that can be compared and shown.

    Args:
        value: Any value. What it is made of is taken apart, if it does not say itself what it equals.
    """
    if isinstance(value, Mapping):
        return {key: plain(part, ignoring) for key, part in value.items() if key not in ignoring}
    if isinstance(value, AbstractSet):
        return sorted((plain(part, ignoring) for part in value), key=repr)
    if isinstance(value, list | tuple):
        parts = [plain(part, ignoring) for part in value]
        return sorted(parts, key=repr) if isinstance(value, Unordered) else parts
    if is_dataclass(value) and not isinstance(value, type):
        named = {field.name: getattr(value, field.name) for field in fields(value) if field.compare}
    elif _says_nothing_of_equality(value):
        named = {name: getattr(value, name) for name in _attributes(value)}
    else:
        return value
    return {
        type(value).__name__: {
            name: plain(part, ignoring) for name, part in named.items() if name not in ignoring
        }
    }


def difference(expected: object, found: object) -> str:
    """Return where two values differ, line by line; lines of the expected one begin with -, of the other with +."""
    lines = difflib.unified_diff(
        pformat(expected, width=WIDTH).splitlines(),
        pformat(found, width=WIDTH).splitlines(),
        "expected",
        "found",
        lineterm="",
    )
    return "\n".join(lines) or f"{expected!r}\nis not equal to\n{found!r}"


def _says_nothing_of_equality(value: object) -> bool:
    return (
        type(value).__eq__ is object.__eq__
        and not isinstance(value, Enum | type)
        and not callable(value)
        and bool(_attributes(value))
    )


def _attributes(value: object) -> list[str]:
    slots = [
        name
        for kind in type(value).__mro__
        for name in _names(getattr(kind, "__slots__", ()))
        if name not in {"__dict__", "__weakref__"} and hasattr(value, name)
    ]
    return [*getattr(value, "__dict__", ()), *slots]


def _names(slots: str | Collection[str]) -> Collection[str]:
    return [slots] if isinstance(slots, str) else slots
