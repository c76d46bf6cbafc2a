"""Which options change what is generated or how it is written; the others are for people and for other programs."""

from collections.abc import Mapping
from typing import Any

Options = Mapping[str, str]

_OF_FIELDS = ("jstype", "ctype")
_OF_METHODS = ("idempotency_level",)
_NOT_JUDGED = {"deprecated", "uninterpreted_option", "features"}


def of_file(options: Any) -> Options:
    """Return the options of a file that generators heed, defaults filled in: packages, prefixes, services."""
    names = (field.name for field in options.DESCRIPTOR.fields if field.name not in _NOT_JUDGED)
    return _read(options, names)


def of_field(options: Any) -> Options:
    """Return how a field is shown in JavaScript and C++."""
    return _read(options, _OF_FIELDS)


def of_method(options: Any) -> Options:
    """Return whether an rpc may be repeated."""
    return _read(options, _OF_METHODS)


def _read(options: Any, names: Any) -> Options:
    known = options.DESCRIPTOR.fields_by_name
    return {name: _shown(known[name], getattr(options, name)) for name in names if name in known}


def _shown(field: Any, value: Any) -> str:
    if field.enum_type is not None:
        return str(field.enum_type.values_by_number[value].name)
    return str(value).lower() if isinstance(value, bool) else f'"{value}"'
