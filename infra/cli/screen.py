"""What commands print passes here, so that text from outside cannot move the cursor, hide, or end in a traceback."""

import io
import os
import re
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO, cast

import click

from cdc.text import printable

ESCAPE = "\x1b["
# Styles of ours begin with a mark that nobody else can know, and a character that Unicode keeps for use in programs.
MARK = f"\ufdd0{secrets.token_hex(4)}"
MARKED = re.compile(rf"{MARK}([0-9;]*m)")


def takes_colour(stream: TextIO) -> bool:
    """Tell whether a stream is a terminal that shows colours, and its user wants them (no-color.org)."""
    is_plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") in {"dumb", "unknown"}
    return stream.isatty() and not is_plain


class Screen:
    """Stands before a stream; what is not printable arrives there as an escape, other than line breaks and tabs."""

    # click looks at these; characters that the stream itself does not know become escapes, too.
    encoding = "utf-8"
    errors = "backslashreplace"

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError("this is a stream of text")
        try:
            self.stream.write("".join(map(self._shown, re.split(r"([\n\t])", text))))
        except BrokenPipeError:
            self._leave()
        return len(text)

    def flush(self) -> None:
        try:
            self.stream.flush()
        except BrokenPipeError:
            self._leave()

    def _shown(self, text: str) -> str:
        if text in {"\n", "\t"} or text.isprintable():
            return text
        plain = MARKED.split(text)
        plain[::2] = map(printable, plain[::2])
        has_colour = takes_colour(self.stream)
        plain[1::2] = [ESCAPE + code if has_colour else "" for code in plain[1::2]]
        return "".join(plain)

    def _leave(self) -> NoReturn:
        """End without a word: whoever reads has seen enough."""
        os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        raise SystemExit(1)


@contextmanager
def screened() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (_screen(stream) for stream in before)
    try:
        yield
    finally:
        try:
            for stream in filter(None, (sys.stdout, sys.stderr)):
                stream.flush()
        finally:
            sys.stdout, sys.stderr = before


def style(text: str, **styles: Any) -> str:
    """Return text in a style, as `click.style` does; what the text itself says of styles is not heeded."""
    if not isinstance(sys.stdout, Screen):
        return click.style(text, **styles)
    begin, end = click.style("\0", **styles).split("\0")
    return f"{begin.replace(ESCAPE, MARK)}{text}{end.replace(ESCAPE, MARK)}"


def _screen(stream: TextIO | None) -> TextIO:
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
    return cast(TextIO, stream and Screen(stream))
