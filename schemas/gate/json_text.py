"""Reads JSON strictly: what other readers would take differently or not at all is named with its line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

MAX_DEPTH = 1000
"""Arrays and objects within each other; no contract that people write comes near."""
MAX_DIGITS = 400
"""Of one number; longer ones fit into no number that programs reckon with."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s,:{}\[\]"]+', re.DOTALL)


class JsonError(ValueError):
    """A text is no JSON that all readers take alike; `problem` is a clause, `line` counted from 1."""

    def __init__(self, problem: str, line: int) -> None:
        super().__init__(f"{problem} (line {line})")
        self.problem = problem
        self.line = line


class _StrangeNumberError(ValueError):
    """A number that JSON does not have, or that no program can hold."""


def parse_json(text: str) -> Any:
    """Return a JSON document.

    Raises:
        JsonError: it is not JSON, not UTF-8, has a key twice, or cannot be represented.
    """
    _check_text(text)
    try:
        found = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_float,
            parse_constant=_refuse,
        )
    except json.JSONDecodeError as error:
        raise JsonError(f"not JSON: {error.msg} in column {error.colno}", error.lineno) from error
    except _RepeatedKeyError as error:
        raise JsonError(f"the key {error.key} is there twice", _line_of_repetition(text)) from error
    except _StrangeNumberError as error:
        problem = f"{error} is no number that JSON can hold"
        raise JsonError(problem, _line(text, _is_strange)) from error
    _check_escapes(text, found)
    return found


def _check_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise JsonError("the file is not UTF-8", line) from error
    if text.startswith("\ufeff"):
        raise JsonError("the file starts with a byte order mark; save it as UTF-8 without one", 1)
    if not text.strip():
        raise JsonError("the file is empty", 1)
    if text.count("{") + text.count("[") > MAX_DEPTH:
        _check_depth(text)


def _check_depth(text: str) -> None:
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(token[0], 0)
        if depth > MAX_DEPTH:
            line = text.count("\n", 0, token.start()) + 1
            raise JsonError(f"nested deeper than {MAX_DEPTH} levels", line)


def _check_escapes(text: str, found: Any) -> None:
    """Refuse escapes of half a character, which can be written as JSON and in no other way."""
    if "\\u" not in text:
        return
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        problem = f"a string has \\u{ord(error.object[error.start]):04x}, which is half a character"
        raise JsonError(problem, _line(text, _has_half_a_character)) from error


def _has_half_a_character(token: str) -> bool:
    if not token.startswith('"'):
        return False
    try:
        json.loads(token).encode()
    except UnicodeEncodeError:
        return True
    return False


def _integer(literal: str) -> int:
    return int(literal) if len(literal) <= MAX_DIGITS else _refuse(f"{literal[:20]}...")


def _float(literal: str) -> float:
    value = float(literal)
    return value if math.isfinite(value) else _refuse(literal[:20])


def _refuse(literal: str) -> NoReturn:
    raise _StrangeNumberError(literal)


def _is_strange(token: str) -> bool:
    if token[0] not in "-0123456789NI":
        return False
    try:
        return len(token) > MAX_DIGITS or not math.isfinite(float(token))
    except ValueError:
        return False


def _line(text: str, is_it: Callable[[str], bool]) -> int:
    """Return the line of the first token that is the one."""
    found: Iterator[int] = (each.start() for each in _TOKEN.finditer(text) if is_it(each[0]))
    return text.count("\n", 0, next(found, 0)) + 1


class _RepeatedKeyError(Exception):
    """An object has a key twice, of which readers would heed the second alone."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RepeatedKeyError(key)
            seen.add(key)
    return members


_KEY_OR_BRACKET = re.compile(
    r'(?P<key>"(?:[^"\\]|\\.)*")\s*:|"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL
)


def _line_of_repetition(text: str) -> int:
    """Return the line of the first key of well-formed JSON that its object has already."""
    keys: list[set[str]] = []
    for token in _KEY_OR_BRACKET.finditer(text):
        if token[0] in {"{", "["}:
            keys.append(set())
        elif token[0] in {"}", "]"}:
            keys.pop()
        elif token["key"]:
            key = json.loads(token["key"])
            if key in keys[-1]:
                return text.count("\n", 0, token.start()) + 1
            keys[-1].add(key)
    return 1
