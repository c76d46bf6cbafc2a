"""Conditions on what a message says, such as `currency=EUR` or `lines.0.sku=book-1`; compared, never evaluated."""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any
from uuid import UUID

CONDITION = re.compile(r"([A-Za-z_]\w*(?:\.\w+)*)\s*(!=|<=|>=|=|<|>)\s*([^\s<>=!].*)", re.DOTALL)
LONGEST_INDEX = 9
NO_ORDER = re.compile(r"[+-]?s?(nan|inf(inity)?)\d*", re.IGNORECASE | re.ASCII)
OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ORDERING = ("<", "<=", ">", ">=")
WORDS = {"true": True, "false": False}
NULL = "null"


class _Absent:
    """Stands for a field that a message does not have."""


ABSENT = _Absent()


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition."""

    # field, then fields of records in it, keys of maps, or numbers of a list's members from 0
    path: tuple[str, ...]
    operator: str  # one of `OPERATORS`
    literal: str

    @classmethod
    def parse(cls, text: str) -> "Condition":
        match = CONDITION.fullmatch(text.strip())
        if match is None:
            raise ValueError(
                f"{text!r} is no condition such as currency=EUR, total>100 or lines.0.sku=book-1"
            )
        literal = match[3].strip()
        if len(literal) > 1 and literal[0] == literal[-1] and literal[0] in "\"'":
            literal = literal[1:-1]
        elif literal[0] in "\"'":
            raise ValueError(f"{text!r} lacks the quote at its end")
        elif match[2] in ORDERING and NO_ORDER.fullmatch(literal):
            raise ValueError(f"{text!r} compares with {literal}, which is neither more nor less")
        return cls(tuple(match[1].split(".")), match[2], literal)

    def __str__(self) -> str:
        return f"{'.'.join(self.path)}{self.operator}{self.literal}"

    def find(self, datum: Any) -> Any:
        """Return the value that the condition is about, `ABSENT` when the message has no such field."""
        value = datum
        for step in self.path:
            if isinstance(value, Mapping) and step in value:
                value = value[step]
            elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
                is_index = step.isdecimal() and len(step) <= LONGEST_INDEX
                if not is_index or int(step) >= len(value):
                    return ABSENT
                value = value[int(step)]
            else:
                return ABSENT
        return value

    def holds(self, value: Any) -> bool:
        """Tell whether a value that was found is as the condition wants it.

        Raises:
            ValueError: the literal cannot be compared with values of this kind.
        """
        if value is ABSENT:
            return False
        if value is None or self.literal == NULL:
            same = value is None and self.literal == NULL
            return {"=": same, "!=": not same}.get(self.operator, False)
        wanted = self._as(value)
        if isinstance(value, bool | bytes | UUID) and self.operator in ORDERING:
            raise ValueError(f"{self}: {self.path[-1]} has no order, it takes = and !=")
        return OPERATORS[self.operator](value, wanted)

    def _as(self, value: Any) -> Any:
        try:
            return _reader_of(value)(self.literal)
        except (KeyError, ValueError, OverflowError, InvalidOperation):
            kind = type(value).__name__.lower()
            raise ValueError(
                f"{self}: {self.path[-1]} is {kind}, which {self.literal!r} is not"
            ) from None


def _reader_of(value: Any) -> Callable[[str], Any]:
    if isinstance(value, bool):
        return WORDS.__getitem__
    if isinstance(value, datetime):
        return _aware if value.tzinfo else datetime.fromisoformat
    readers: dict[type, Callable[[str], Any]] = {
        int: _finite,
        float: lambda text: float(_finite(text)),
        Decimal: _finite,
        date: date.fromisoformat,
        UUID: UUID,
        bytes: lambda text: bytes.fromhex(text.removeprefix("\\x")),
        str: str,
    }
    for kind, reader in readers.items():
        if isinstance(value, kind):
            return reader
    raise ValueError(f"a {type(value).__name__.lower()} is compared with nothing")


def _finite(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():
        raise ValueError("nothing equals it, and nothing is more or less")
    return number


def _aware(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone() if moment.tzinfo is None else moment
