"""Reads contract files into documents and schemas, and says of those that cannot be read where they are malformed."""

import json
import re
from contextlib import suppress
from functools import cache
from typing import Any

from schemas.catalogue import Catalogue
from schemas.catalogue import parse as parse_catalogue
from schemas.gate.avro.model import Record
from schemas.gate.avro.parse import MalformedSchemaError
from schemas.gate.avro.parse import record as record_in
from schemas.gate.finding import Finding
from schemas.gate.json_text import JsonError, line_in, parse_json
from schemas.gate.lines import line_of
from schemas.gate.tree import CATALOGUE, Files, Unreadable, path_of
from schemas.references import inlined

_TOML_LINE = re.compile(r"\(at line (\d+)")
_NAMED = re.compile(r"[\w-]+(?:\.[\w-]+)+")


class MalformedFileError(Exception):
    """A contract file cannot be read."""

    def __init__(self, path: str, problem: str, line: int) -> None:
        super().__init__(f"{path}: {problem} (line {line})")
        self.path = path
        self.problem = problem
        self.line = line

    def finding(self, subject: str, rule: str, file: str) -> Finding:
        return Finding(
            subject=subject,
            path=self.path,
            rule=rule,
            problem=self.problem,
            fix="Mend the file; nothing can be compared before",
            file=file,
            line=self.line,
        )


_MALFORMED = (MalformedFileError, LookupError, TypeError, AttributeError)


def document(text: str) -> Any:
    """Return a JSON document; the same one for the same text, so that nobody may change it."""
    if isinstance(text, Unreadable):
        raise MalformedFileError("/", text, 1)
    return _document(text)


@cache
def _document(text: str) -> Any:
    try:
        return parse_json(text)
    except JsonError as error:
        raise MalformedFileError("/", error.problem, error.line) from error


def record(text: str, *, within: str | None = None) -> Record:
    """Return the schema of a message.

    Args:
        within: The text of its file, in which lines are counted, if that is another.

    Raises:
        MalformedFileError: it is not the JSON of an Avro record.
    """
    content = document(text)
    try:
        return record_in(content)
    except MalformedSchemaError as error:
        place = str(error.place)
        raise MalformedFileError(place, error.problem, line_of(within or text, place)) from error


def catalogue(files: Files) -> Catalogue:
    """Return the catalogue of a state of the repository.

    Raises:
        MalformedFileError: it is missing, not TOML, or not a catalogue.
    """
    if CATALOGUE not in files:
        raise MalformedFileError("/", "the file is missing", 1)
    text = files[CATALOGUE]
    if isinstance(text, Unreadable):
        raise MalformedFileError("/", text, 1)
    try:
        text.encode()
        return parse_catalogue(text)
    except UnicodeEncodeError as error:
        line = line_in(text, error.start)
        raise MalformedFileError("/", "the file is not UTF-8", line) from error
    except RecursionError as error:
        raise MalformedFileError("/", "nested too deeply", 1) from error
    except ValueError as error:
        found = _TOML_LINE.search(str(error))
        line = int(found[1]) if found else _line_of_name(text, str(error))
        raise MalformedFileError("/", str(error), line) from error


def _line_of_name(text: str, problem: str) -> int:
    places = (text.find(f'"{name}"') for name in _NAMED.findall(problem))
    return line_in(text, next((each for each in places if each >= 0), 0))


@cache
def references(text: str) -> frozenset[str]:
    """Return the paths of the files that a schema takes named types from."""
    found: set[str] = set()

    def note(name: str) -> str:
        found.add(path_of(name))
        return "null"

    with suppress(*_MALFORMED):
        inlined(document(text), note)
    return frozenset(found)


def parts(path: str, files: Files) -> frozenset[str]:
    """Return the path of a schema and those of all the files that it is made of, whether they are there or not."""
    found: set[str] = set()
    new = {path}
    while new:
        found |= new
        new = {other for each in new if each in files for other in references(files[each])} - found
    return frozenset(found)


def whole(path: str, files: Files) -> str:
    """Return a schema's text, with what it takes from other files put in place.

    One that cannot be completed is returned as it is; reading it will tell why.
    """
    text = files[path]
    if not references(text):
        return text
    with suppress(*_MALFORMED):
        return json.dumps(inlined(document(text), lambda name: document(files[path_of(name)])))
    return text
