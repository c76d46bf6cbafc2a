"""A parked message as the text that is edited, and where in it a mistake is."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from cdc.text import printable
from infra.console.parked.view import One
from infra.operations.parked.edit import EditError
from schemas.gate.json_text import line_in
from schemas.json_form import FormError, Path

SKIPPED = " \t\r\n:,"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody edits.

    Args:
        text: The message as JSON; empty when it cannot be decoded, and is given as a whole.
        based_on: Digest of the value that was edited, so that what somebody else does meanwhile is not lost.
        problem: Why it was refused, as a sentence.
        line: The line that is about, from 1.
    """

    text: str
    based_on: str
    problem: str = ""
    line: int | None = None

    @property
    def lines(self) -> list[str]:
        return [_escaped(line) for line in self.text.split("\n")]

    @property
    def rows(self) -> int:
        return min(40, max(8, len(self.lines) + 1))


def draft_of(found: One) -> Draft:
    value = found.value
    is_readable = value is not None and value.problem is None
    text = json.dumps(value.payload, indent=2, ensure_ascii=False) if value and is_readable else ""
    data = value.data if value else None
    return Draft(text=text, based_on=sha256(data or b"").hexdigest())


def refused(text: str, based_on: str, error: EditError) -> Draft:
    """Return a draft that was not taken, with the line that is the reason."""
    text = text.replace("\r\n", "\n")
    return Draft(text=text, based_on=based_on, problem=str(error), line=_line(text, error))


def _escaped(line: str) -> str:
    """Return JSON that says the same, in which what could hide or turn what stands there is escaped as JSON escapes."""
    return "".join(
        each if printable(each) == each else json.dumps(each)[1:-1]
        for each in line.replace("\t", "  ")
    )


def _line(text: str, error: EditError) -> int | None:
    cause = error.__cause__
    if isinstance(cause, FormError) and cause.path is not None:
        return line_of(text, cause.path)
    syntax = cause.__cause__ if cause else None
    return syntax.lineno if isinstance(syntax, json.JSONDecodeError) else None


def line_of(text: str, path: Path) -> int:
    """Return the line on which a place within JSON begins; of what is not there, that of what it should be in."""
    decoder, at = json.JSONDecoder(), _past(text, 0)
    for step in path:
        found = next((start for name, start in _members(text, at, decoder) if name == step), None)
        if found is None:
            break
        at = found
    return line_in(text, at)


def _members(text: str, at: int, decoder: json.JSONDecoder) -> Iterator[tuple[str, int]]:
    """Yield what an object or a list holds: its name or number, and where its value begins."""
    if text[at] not in "{[":
        return
    is_object, number, at = text[at] == "{", 0, _past(text, at + 1)
    while text[at] not in "}]":
        name = str(number)
        if is_object:
            name, at = decoder.raw_decode(text, at)
            at = _past(text, at)
        yield name, at
        _, at = decoder.raw_decode(text, at)
        at, number = _past(text, at), number + 1


def _past(text: str, at: int) -> int:
    while at < len(text) and text[at] in SKIPPED:
        at += 1
    return at
