"""Numbers, times and errors as words."""

from datetime import datetime
from uuid import UUID

from cdc.text import printable, quoted

LONGEST_ERROR = 160
LONGEST_TEXT = 1000
DAY_S = 24 * 60 * 60
MEGABYTE = 2**20


def require_text(text: str, longest: int = LONGEST_TEXT) -> str:
    """Return what somebody asks for, if it is a text that can be looked for and kept.

    Raises:
        ValueError: it is too long, or has what neither Postgres nor UTF-8 knows.
    """
    if len(text) > longest:
        raise ValueError(f"{quoted(text)} has more than {longest:,} characters")
    if "\0" in text or text.encode(errors="ignore").decode() != text:
        raise ValueError(f"{quoted(text)} is not text in UTF-8 without NUL")
    return text


def uuid_of(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def plain_id(text: str) -> str:
    """Return an id as services write theirs: a UUID in lower case with dashes, anything else as it is."""
    return str(uuid_of(text) or text)


def counted(number: int, what: str) -> str:
    """Return e.g. "1 message" or "3 messages"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def sentence(clause: str) -> str:
    return f"{clause[0].upper()}{clause[1:]}."


def age(moment: datetime, now: datetime) -> str:
    seconds = max(0, int((now - moment).total_seconds()))
    return f"{seconds // DAY_S} days ago" if seconds >= 2 * DAY_S else f"{duration(seconds)} ago"


def local(moment: datetime | None, otherwise: str = "") -> str:
    """Return a moment by the clock on the wall, with its offset; the other text for None."""
    return moment.astimezone().isoformat(" ", "seconds") if moment else otherwise


def duration(seconds: int | None) -> str:
    """Return e.g. "2 h 05 min", "3 min 10 s" or "" for None."""
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    if minutes >= 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def size(number: int) -> str:
    """Return a number of bytes as e.g. "12 kB" or "1.3 GB"."""
    value = float(number)
    for unit in ("B", "kB", "MB"):
        if value < 1024:
            return f"{value:.0f} {unit}"
        value /= 1024
    return f"{value:.1f} GB"


def one_line(error_class: str, error_text: str) -> str:
    """Return an error on one line, cut where it is long."""
    text = printable(" ".join(f"{error_class.rpartition('.')[2]}: {error_text}".split()))
    return text if len(text) <= LONGEST_ERROR else f"{text[:LONGEST_ERROR]}…"
