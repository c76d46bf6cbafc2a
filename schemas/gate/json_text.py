"""Reads JSON strictly: what other readers would take differently or not at all is named with its line."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

MAX_DEPTH = 1000
"""Arrays and objects within each other; no contract that people write comes near."""
MAX_DIGITS = 400
"""Of one number; longer ones fit into no number that programs reckon with."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s,:{}\[\]"]+', re.DOTALL)
"""A string, a bracket or a scalar; commas and colons carry no meaning of their own in what is well-formed."""


class JsonError(ValueError):
    """A text is no JSON that all readers take alike; `problem` is a clause, `line` counted from 1."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(f"{problem} (line {line})")
        self.problem = problem
        self.line = line


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON value and the offset at which it starts; arrays and objects hold nodes."""

    value: Any
    start: int


def parse_json(text: str) -> Any:
    """Return a JSON document.

    Raises:
        JsonError: it is not JSON, not UTF-8, has a key twice, or cannot be represented.
    """
    _check_text(text)
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error.msg} in column {error.colno}", error.lineno) from error
    nodes(text)
    return json.loads(text)


def nodes(text: str) -> Node:
    """Return well-formed JSON with the places of its values.

    Raises:
        JsonError: it has a key twice, or cannot be represented.
    """
    inside: list[Node] = []
    key: str | None = None
    for token in _TOKEN.finditer(text):
        if token[0] in {"}", "]"}:
            node = inside.pop()
            if not inside:
                return node
            continue
        around = inside[-1].value if inside else None
        if isinstance(around, dict) and key is None:
            key = _scalar(token)
            if key in around:  # readers would heed the second alone
                raise _refused(token, f"the key {key} is there twice")
            continue
        value: Any = {"{": {}, "[": []}.get(token[0])
        node = Node(_scalar(token) if value is None else value, token.start())
        if isinstance(around, dict):
            around[key], key = node, None
        elif isinstance(around, list):
            around.append(node)
        if value is not None:
            inside.append(node)
        elif not inside:
            return node
    raise JsonError("the file is empty", 1)


def line_in(text: str, position: int) -> int:
    """Return the line, counted from 1, of a position in a text; the first one for what was not found in it."""
    return text.count("\n", 0, max(position, 0)) + 1


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise JsonError("the file is not UTF-8", line_in(text, error.start)) from error
    if text.startswith("\ufeff"):
        raise JsonError("the file starts with a byte order mark; save it as UTF-8 without one", 1)
    if not text.strip():
        raise JsonError("the file is empty", 1)
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth > MAX_DEPTH:
            raise _refused(token, f"nested deeper than {MAX_DEPTH} levels")


def _scalar(token: re.Match[str]) -> Any:
    literal = token[0]
    if literal[0] in "-0123456789NI":
        if len(literal) > MAX_DIGITS or not math.isfinite(float(literal)):
            raise _refused(token, f"{literal[:20]} is no number that JSON can hold")
        return json.loads(literal)
    value = json.loads(literal)
    try:
        str(value).encode()
    except UnicodeEncodeError as error:
        half = f"\\u{ord(error.object[error.start]):04x}"
        raise _refused(token, f"a string has {half}, which is half a character") from error
    return value


def _refused(token: re.Match[str], problem: str) -> JsonError:
    return JsonError(problem, line_in(token.string, token.start()))
