"""What a client would like, and says in `Prefer` (RFC 7240); whoever cannot do it passes it over."""

import re

from starlette.datastructures import Headers

PREFERENCE_APPLIED = "preference-applied"

_NAME = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_WORD = rf'(?:{_NAME}|"(?:[^"\\]|\\.)*")'
_PREFERENCE = re.compile(
    rf"[ \t]*(?P<name>{_NAME})(?:[ \t]*=[ \t]*(?P<value>{_WORD}))?"
    rf"(?:[ \t]*;(?:[ \t]*{_NAME}(?:[ \t]*=[ \t]*{_WORD})?)?)*[ \t]*(?:,|$)",
    re.ASCII,
)
_SECONDS = re.compile(r"0*([0-9]{1,9})|[0-9]+", re.ASCII)
LONGEST_S = 10**9
"""Stands for a wait that is longer, which is no reason to pass the wish over."""


def preferences(headers: Headers) -> dict[str, str]:
    """Return the preferences by name in small letters; of those that are named twice the first one counts.

    From where the header cannot be read on, nothing is taken of it.
    """
    text, found, at = ",".join(headers.getlist("prefer")), dict[str, str](), 0
    while at < len(text):
        match = _PREFERENCE.match(text, at)
        if match is None:
            break
        value = match["value"] or ""
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found.setdefault(match["name"].lower(), value)
        at = match.end()
    return found


def preferred_wait_s(headers: Headers) -> int | None:
    """Return for how many seconds a client would like an answer to wait for what it asks about, if it says so."""
    match = _SECONDS.fullmatch(preferences(headers).get("wait", ""))
    return int(match[1] or LONGEST_S) if match else None
