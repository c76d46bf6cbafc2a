"""Errors that are told to the user as one sentence, instead of a traceback."""

from cdc import causes

OURS = frozenset({"schemas", "cdc", "producers", "consumers", "infra"})
CLIENTS = frozenset({"psycopg", "cimpl", "httpx2"})  # cimpl is confluent_kafka


class TailraceError(Exception):
    """Something went wrong that its reader can mend.

    `str()` of it is one sentence which says what happened, why, and what to do next. The command
    line prints it to stderr and exits with the code: 1 for a failure, 2 for wrong usage.
    """

    exit_code = 1


class RequestError(TailraceError):
    """A request contradicts itself, or names what there is not."""

    exit_code = 2


def explain(error: BaseException) -> str | None:
    """Return the sentence for the user, or None if the error is a fault of the program.

    The packages below `infra` define their own errors, which carry sentences as well; the clients
    of Postgres, Kafka and HTTP complain about servers that do not answer.
    """
    text = causes.redacted(" ".join(str(error).split()).rstrip(".")) or type(error).__name__
    package = type(error).__module__.partition(".")[0]
    if package in OURS:
        return text if text.endswith("?") else f"{text}."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}{f': {error.filename}' if error.filename else ''}."
    if package in CLIENTS or isinstance(error, OSError):
        cause = causes.of_error(error)
        return f"{cause.text}; {cause.advice or '`tailrace status` shows what runs'}."
    return None
