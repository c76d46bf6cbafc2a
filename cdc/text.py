"""Text from outside, made fit to be shown: nothing in it moves a cursor, hides, or looks like another line."""

from collections.abc import Iterable
from difflib import get_close_matches

MAX_QUOTED = 40


def printable(text: str) -> str:
    r"""Return text in which whatever is no plain character is written as an escape, such as `\x1b` or `\u202e`.

    That covers control characters, line breaks, what turns the direction of writing or has no width, blanks other than
    the space, and halves of surrogate pairs. A byte that was not UTF-8 is shown as that byte.
    """
    return text if text.isprintable() else "".join(map(_shown, text))


def text_of(data: bytes) -> str:
    r"""Return bytes as text; what is not UTF-8 in hexadecimal after `\x`, so that nothing of it is lost."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return f"\\x{data.hex()}"


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return `; did you mean order.events?` if a name resembles one that there is, else nothing."""
    near = get_close_matches(name, names)
    return f"; did you mean {' or '.join(near)}?" if near else ""


def quoted(text: str) -> str:
    """Return text as a quotation: short and printable."""
    shown = text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."
    return f'"{printable(shown)}"'


def _shown(character: str) -> str:
    if character.isprintable():
        return character
    if "\udc80" <= character <= "\udcff":  # how Python keeps a byte that is not UTF-8
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
