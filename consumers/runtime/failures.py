"""Why a message did not take effect, and what follows from it.

    transient   the database or the network: tried again at once, nothing is parked
    registry    the schema registry cannot be asked: the partition waits
    otherwise   the message is parked, and those of its key behind it

A party outside the database that stays out of reach for longer than the retry policy's patience parks the message too:
a message that alone needs it must not stop the others.
"""

import errno
import socket
import traceback as tracebacks
from dataclasses import dataclass
from typing import Self

import httpx2
import psycopg

from cdc.outbox import ConcurrencyError
from consumers.runtime.delivery import MalformedRecordError
from consumers.runtime.parked.selection import Reason
from schemas.datum import UndecodableError
from schemas.registry import RegistryUnavailableError

LONGEST_TEXT = 20_000
"""Most characters kept of an error's text and of its traceback."""

_NO_WAY = frozenset({errno.ENETDOWN, errno.ENETUNREACH, errno.EHOSTDOWN, errno.EHOSTUNREACH})
"""What a system says of a network that leads nowhere; Python has no class for them."""
_TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
"""Of SQLSTATE: connection, rollback by conflict, resources, intervention, system (Postgres manual, appendix A)."""
_TOOK_TOO_LONG = frozenset({"57014", "55P03", "25P03"})
"""A statement, a wait for a lock, an idle transaction beyond its timeout: perhaps the trouble of one message alone."""


class TransientError(Exception):
    """Raised by a handler whose message should be tried again at once rather than be parked."""


class PoisonError(Exception):
    """Raised by a handler that knows no further attempt will help: the message is a dead letter at once."""


class UnhandledTypeError(LookupError):
    """A command arrived that the consumer has no handler for."""


class TooOldError(ValueError):
    """A message is older than the inbox remembers: whether it took effect before cannot be told."""


_TRANSIENT = (
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    httpx2.TransportError,
    psycopg.InterfaceError,  # a connection that was closed; also what a handler does wrong with one
    TransientError,
    ConcurrencyError,
    RegistryUnavailableError,
)


def is_database_trouble(error: BaseException) -> bool:
    """Tell whether the database could not do its work just now, whatever the message."""
    if not isinstance(error, psycopg.OperationalError) or _took_too_long(error):
        return False
    return error.sqlstate is None or error.sqlstate.startswith(_TRANSIENT_CLASSES)


def is_transient(error: BaseException) -> bool:
    """Tell whether the same message may well take effect when it is tried again at once."""
    if is_database_trouble(error) or _took_too_long(error) or isinstance(error, _TRANSIENT):
        return True
    return isinstance(error, OSError) and error.errno in _NO_WAY


def waits_without_end(error: BaseException) -> bool:
    """Tell whether parking would not help, because every other message is in the same trouble."""
    return is_database_trouble(error) or isinstance(error, RegistryUnavailableError)


def _took_too_long(error: BaseException) -> bool:
    return isinstance(error, psycopg.Error) and error.sqlstate in _TOOK_TOO_LONG


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a message is parked.

    Args:
        reason: What went wrong, or `behind`: an earlier message of its key is parked.
        error_class: Qualified name of the error, empty when there was none.
        error_text: What the error says.
        traceback: Where it was raised, empty where that says nothing.
        hopeless: No further attempt will help.
    """

    reason: Reason
    error_class: str = ""
    error_text: str = ""
    traceback: str = ""
    hopeless: bool = False

    @classmethod
    def of(cls, error: Exception) -> Self:
        """Describe an error."""
        reason = _reason(error)
        lines = tracebacks.format_exception(error) if reason == "failed" else []
        return cls(
            reason=reason,
            error_class=f"{type(error).__module__}.{type(error).__qualname__}",
            error_text=storable(_text(error)),
            traceback=storable("".join(lines)),
            hopeless=isinstance(error, PoisonError | MalformedRecordError | TooOldError),
        )


BLOCKED_BY_EARLIER = Failure(reason="behind")
"""Why a message is parked that itself was never tried."""


def _reason(error: Exception) -> Reason:
    if isinstance(error, UndecodableError):
        return "undecodable"
    if isinstance(error, MalformedRecordError):
        return "malformed"
    if isinstance(error, UnhandledTypeError):
        return "unknown_type"
    return "too_old" if isinstance(error, TooOldError) else "failed"


def _text(error: Exception) -> str:
    try:
        return str(error)
    except Exception as worse:  # noqa: BLE001 - a message must not stop the others because its error has no words
        return f"an error that cannot be put into words: {worse!r}"


def storable(text: str) -> str:
    """Return what Postgres can keep as text, the end of it when it is long: a traceback says most there."""
    text = escaped(text)
    if len(text) <= LONGEST_TEXT:
        return text
    said = f"({len(text):,} characters, of which the last are) … "
    return said + text[len(said) - LONGEST_TEXT :]


def escaped(text: str) -> str:
    """Return text with what Postgres cannot keep of it written as escapes."""
    return text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()
