"""Finds the line of a schema file that a finding is about, for annotations in a pull request."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s,:{}\[\]"]+')
"""A string, a bracket or a scalar of JSON; commas and colons carry no meaning of their own in what is well-formed."""


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and the offset at which it starts; arrays and objects hold nodes."""

    value: Any
    start: int


def line_of(text: str, path: str) -> int:
    """Return the line, counted from 1, of the field that a finding's path names.

    Args:
        text: The schema file, well-formed JSON.
        path: Path of a finding, such as `/fields/3/type/items/fields/1 lines.quantity`. What the file does not have,
            such as a field that was removed, is found as the record that it would stand in.
    """
    tokens = TOKEN.finditer(text)
    node = _read(next(tokens), tokens)
    names = path.partition(" ")[2]
    for name in filter(None, names.split(".")):
        inner = next((each for each in _fields(node) if _name(each) == name), None)
        if inner is None:
            break
        node = inner
    return text.count("\n", 0, node.start) + 1


def _fields(node: Node) -> Iterator[Node]:
    """Yield the fields of the records that a field's type consists of."""
    match node.value:
        case {"fields": Node(list() as fields)}:
            yield from fields
        case dict() as members:
            for key in ("type", "items", "values"):
                if key in members:
                    yield from _fields(members[key])
        case list() as branches:
            for branch in branches:
                yield from _fields(branch)


def _name(field: Node) -> object:
    match field.value:
        case {"name": Node(name)}:
            return name
    return None


def _read(token: re.Match[str], tokens: Iterator[re.Match[str]]) -> Node:
    """Return the value that starts with a token, and take its other tokens."""
    value: Any
    match token[0]:
        case "{":
            value = {}
            while (key := next(tokens))[0] != "}":
                value[json.loads(key[0])] = _read(next(tokens), tokens)
        case "[":
            value = []
            while (item := next(tokens))[0] != "]":
                value.append(_read(item, tokens))
        case scalar:
            value = json.loads(scalar)
    return Node(value, token.start())
