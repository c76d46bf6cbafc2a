"""The kinds of values that options take: what is out of range or makes no sense is refused before anything begins."""

import re
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cdc.text import quoted
from consumers.replay.bounds import Bound, parse_moment
from consumers.replay.where import Condition
from consumers.runtime.parked.message import RecordPosition, key_of
from consumers.runtime.parked.selection import parse_age
from infra.deployment.databases import NAME
from infra.errors import RequestError
from infra.text import LONGEST_TEXT, require_text

MAX_COUNT = 2**31 - 1
WEEK_S = 7 * 24 * 60 * 60


class Parsed(click.ParamType):
    """A value that a function reads; what it raises is the complaint.

    Args:
        as_text: The command is given the text, and only if it can be read.
    """

    def __init__(self, name: str, parse: Callable[[str], Any], *, as_text: bool = False) -> None:
        self.name = name
        self._parse = parse
        self._as_text = as_text

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            parsed = self._parse(value)
        except (ValueError, OverflowError) as error:
            self.fail(f"{str(error).rstrip('.')}.", param, ctx)
        return value if self._as_text else parsed


class Existing(click.Path):
    """A file or directory that is there; the empty path is none, although it would be the working directory."""

    def __init__(self, **options: Any) -> None:
        super().__init__(exists=True, path_type=Path, **options)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not str(value).strip():
            self.fail("the path is empty: name a file or directory.", param, ctx)
        return super().convert(value, param, ctx)


def _capture(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(
            f"{quoted(text)} is no name of a capture: `tailrace deployment show` has them"
        )
    return text


def _output(text: str) -> Path:
    path = Path(text)
    if not text.strip() or "\0" in text or path.is_dir() or not path.parent.is_dir():
        raise ValueError(
            f"{quoted(text)} is no file that could be written: its directory must be there"
        )
    return path


def _directory(text: str) -> Path:
    path = Path(text)
    if not text.strip() or "\0" in text or (path.exists() and not path.is_dir()):
        raise ValueError(f"{quoted(text)} is no directory that could be written to")
    return path


def whole(minimum: int = 1, maximum: int = MAX_COUNT, name: str = "N") -> Parsed:
    def parse(text: str) -> int:
        if (
            not re.fullmatch(r"-?[0-9]{1,19}", text, re.ASCII)
            or not minimum <= int(text) <= maximum
        ):
            raise ValueError(
                f"{quoted(text)} is not a whole number from {minimum:,} to {maximum:,}"
            )
        return int(text)

    return Parsed(name, parse)


def decimal(minimum: float, maximum: float, name: str) -> Parsed:
    def parse(text: str) -> float:
        if (
            not re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,12})?", text, re.ASCII)
            or not minimum <= float(text) <= maximum
        ):
            raise ValueError(f"{quoted(text)} is not a number from {minimum:g} to {maximum:,g}")
        return float(text)

    return Parsed(name, parse)


def seconds(minimum: float = 0) -> Parsed:
    """Return the kind of durations in seconds, up to a week."""
    return decimal(minimum, WEEK_S, "SECONDS")


def matching(name: str, pattern: str, example: str) -> Parsed:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(f"{quoted(text)} is no name such as {example}")
        return text

    return Parsed(name, parse)


def bound(option: str, texts: Sequence[str]) -> Bound:
    """Return what the values of an option say together.

    Raises:
        RequestError: they contradict each other.
    """
    try:
        return Bound.parse(texts, datetime.now(UTC))
    except ValueError as error:
        raise RequestError(f"{option}: {error}.") from error


def content(path: Path) -> bytes:
    """Return what is in the file that an option names, - being standard input."""
    return sys.stdin.buffer.read() if str(path) == "-" else path.read_bytes()


def _text(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_TEXT:
        raise ValueError(f"{quoted(text)} is not a text of 1 to {LONGEST_TEXT:,} characters")
    return require_text(text).strip()


CAPTURE = Parsed("NAME", _capture)
TEXT = Parsed("TEXT", _text)
OUTPUT = Parsed("FILE", _output)
DIRECTORY = Parsed("DIRECTORY", _directory)
COUNT = whole()
RATE = decimal(0.001, 1_000_000, "N")
MOMENT = Parsed("TIME", lambda text: parse_moment(text, datetime.now(UTC)))
"""A time in ISO 8601, local where it names no offset; or how long ago, such as 90m."""
BOUND = Parsed("TIME|P:OFFSET", lambda text: Bound.parse([text], datetime.now(UTC)), as_text=True)
AGE = Parsed("AGE", parse_age)
KEY = Parsed("KEY", key_of)
PLACE = Parsed("PLACE", RecordPosition.parse)
CONDITION = Parsed("CONDITION", Condition.parse)
TOPIC = matching("TOPIC", r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}", "order.events")
CONSUMER = matching("CONSUMER", r"[A-Za-z0-9._-]{1,100}", "payments-worker")
REVISION = matching("REF", r"[^\s\x00-\x1f\x7f\-][^\s\x00-\x1f\x7f]{0,249}", "main")
SANDBOX = matching("NAME", r"[a-z_][a-z0-9_]{0,62}", "replay_analytics_20261123_100000_1f3c")
SUBJECT = matching("SUBJECT", r"[A-Za-z_][\w.-]{0,249}", "orders.OrderCreated")
CLIENT = matching("OWNER", r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", "shop")
SCOPE = matching("SCOPE", r"[a-z][a-z0-9_]{0,62}(:[a-z]{1,20})?", "orders:read")
API_KEY_ID = matching("KEY_ID", r"[0-9A-Za-z]{12}", "4fW0qLZkT2bD")
RUN = matching("RUN", r"[A-Za-z0-9_-]{1,64}", "last")
