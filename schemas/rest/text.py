"""Text that people wrote: all scripts and emoji as their language spells them, nothing that hides or forges."""

import re
import unicodedata

JOINERS = "\u200c\u200d"
"""Zero width non-joiner and joiner: letters of Persian and Sinhala, and what emoji are put together with."""

_MARKS_OF_DIRECTION = "\u200e\u200f\u061c"
_FORMAT_WITHIN_WORDS = "\u00ad\u2060"
_NUMBER_SIGNS = "\u0600-\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
_SHAPING = "\U00013430-\U0001343f"

# An emoji flag of a region, such as Wales: a black flag, letters as tags, and the tag that ends them. Tags anywhere
# else show nothing.
_REGION_FLAG = re.compile("\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f")
_FORMAT_OF_LANGUAGES = re.compile(
    f"[{JOINERS}{_MARKS_OF_DIRECTION}{_FORMAT_WITHIN_WORDS}{_NUMBER_SIGNS}{_SHAPING}]"
)
# Of categories that Unicode calls "other"; what is not assigned yet may be a letter of its next version.
_REFUSED = frozenset(("Cc", "Cf", "Cs", "Co", "Zl", "Zp"))
_SHOWS_NOTHING = frozenset((*_REFUSED, "Zs"))


class TextError(ValueError):
    """The text cannot be taken; the message says why."""


def readable(text: str) -> str:
    """Return a text that can be shown and kept as it is.

    Args:
        text: Anything.

    Raises:
        TextError: it has a character that is no part of any language's spelling, begins or ends with a blank, or shows
            nothing.
    """
    if text.isascii() and text.isprintable() and text.strip() == text:
        return text
    for character in _FORMAT_OF_LANGUAGES.sub("", _REGION_FLAG.sub("\U0001f3f4", text)):
        if unicodedata.category(character) in _REFUSED or _is_noncharacter(ord(character)):
            raise TextError(
                f"must not contain U+{ord(character):04X}: control characters, line breaks, "
                "direction overrides and code points that are no characters are refused"
            )
    if text != text.strip():
        raise TextError("must not begin or end with a blank")
    if all(unicodedata.category(character) in _SHOWS_NOTHING for character in text):
        raise TextError("must show something")
    return text


def _is_noncharacter(code: int) -> bool:
    return 0xFDD0 <= code <= 0xFDEF or code & 0xFFFE == 0xFFFE
