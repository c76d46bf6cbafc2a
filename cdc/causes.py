"""The first cause of a failure in a line, and what to do about it, out of a Java stack trace or a Python exception."""

import re
from dataclasses import dataclass
from itertools import takewhile

from cdc.text import printable

LONGEST = 300
"""Most characters of a cause; what is left out is said."""

NO_REASON = "no reason is given"

_READ = 10 * LONGEST
"""Characters of a cause that are looked at for what to do about it."""

# Each takes time in proportion to the text, whatever that is: messages of others get here.
_SECRETS = (
    (re.compile(r"(://[^/\s:@]*):[^@\s/]+@"), r"\1:***@"),
    (re.compile(r"(?i)\b(bearer)\s+[\w+/=.~-]{8,}"), r"\1 ***"),
    # and not "basic configuration"
    (re.compile(r"\b([Bb]asic|BASIC)\s+(?=[a-z.~_-]*[0-9A-Z+/=])[\w+/=.~-]{8,}"), r"\1 ***"),
    (
        re.compile(
            r"""(?ix) (\$\{[^}\s]{0,200}\})  # a reference to a secret is none
            | ((?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|credential)[\w.-]{0,64})
            (["']?\s*[=:]\s*) (?:"[^"]*"|'[^']*'|[^\s,;&)}\]]+)"""
        ),
        lambda found: found[1] or f"{found[2]}{found[3]}***",
    ),
)

_ADVICE = (
    (
        r"RecordTooLarge|MSG_SIZE_TOO_LARGE|MESSAGE_TOO_LARGE|[Mm]essage (size )?too large|larger than the limit",
        (
            "raise message_bytes in schemas/catalogue.toml above its size and run `make up`, or go around the row with "
            "`tailrace connector recover --force`"
        ),
    ),
    (
        r"not present in metadata|UNKNOWN_TOPIC|UnknownTopic|[Uu]nknown topic|does not host this topic",
        (
            "`tailrace topics apply` makes the topics of the catalogue that are missing; a row for any other one is "
            "gone around by `tailrace connector recover --force`"
        ),
    ),
    (
        r"(?i)unexpected (update|delete|truncate)?\s*message received|unexpected .* operation",
        (
            "rows of an outbox are only ever added: find out who has changed one, then go on behind it with "
            "`tailrace connector recover --force`"
        ),
    ),
    (
        r"is not a valid field name|Unable to find field",
        "put back the column that was renamed or dropped, then run `tailrace connector recover --force`",
    ),
    (
        r"slot .*(does not exist|no longer|invalidated)|can no longer (get|access).*slot|offset .*no longer available",
        "run `tailrace connector recover`, which loses no row",
    ),
    (
        r"is active for PID",
        "somebody else reads the connector's slot: end that process, then run `tailrace connector restart`",
    ),
    (
        r"password authentication failed|(?i:no password|authentication failed)",
        "give the role the password of its file, which on the local stack `make up` does",
    ),
    (r"publication .* does not exist", "run `tailrace migrate`"),
    (
        r"(?i)permission denied|insufficient.?privilege|must be (superuser|owner)|authorization.?failed|not authorized",
        "`tailrace migrate` grants the roles their rights again",
    ),
    (r"(?i)no space left|disk full|could not extend file", "make room on the disk"),
    (
        (
            r"(?i)connection( to .*)? (refused|failed|reset)|connectexception|could not connect|brokers? (are )?down"
            r"|_TRANSPORT|unknownhost|timed out|timeoutexception|econnrefused"
        ),
        "`tailrace doctor` tells what does not answer; on the local stack, `make up` starts what does not run",
    ),
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something failed."""

    text: str  # class and message of the innermost cause in one line, without credentials
    advice: str | None  # what to do about it; None for a cause that is not known here

    def __str__(self) -> str:
        return f"{self.text}; {self.advice}" if self.advice else self.text


def of_trace(trace: str | None) -> Cause:
    """Return the innermost cause of a Java stack trace."""
    causes = [_java_cause(lines) for lines in _headed(trace or "")]
    return _cause(causes)


def of_error(error: BaseException) -> Cause:
    causes: list[tuple[str, str]] = []
    known: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in known:
        known.add(id(link))
        causes.append((type(link).__name__, _words(link)))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return _cause(causes)


def in_line(text: str, longest: int = LONGEST) -> str:
    """Return text from elsewhere as one line that can be shown: no credentials, nothing that steers a terminal."""
    text = printable(redacted(" ".join(text.split())))
    left_out = len(text) - longest
    return text if left_out <= 0 else f"{text[:longest]} … ({left_out:,} more characters)"


def redacted(text: str) -> str:
    for pattern, shown in _SECRETS:
        text = pattern.sub(shown, text)
    return text


def _cause(causes: list[tuple[str, str]]) -> Cause:
    """Choose the innermost cause that says something; who says nothing is named with who does."""
    silent: list[str] = []
    for name, words in reversed(causes):
        if words:
            text = in_line(": ".join(filter(None, [*silent, name, words])))
            return Cause(text, _advice(" ".join([*silent, name, words])))
        silent.append(name)
    text = ": ".join(silent[:1]) or NO_REASON
    return Cause(text, _advice(text))


def _advice(text: str) -> str | None:
    beginning = text[:_READ]
    return next((advice for pattern, advice in _ADVICE if re.search(pattern, beginning)), None)


def _headed(trace: str) -> list[list[str]]:
    """Return the lines of each cause, its heading first; frames are indented, and so is what was suppressed."""
    found: list[list[str]] = []
    for line in trace.splitlines():
        if not found or line.startswith("Caused by: "):
            found.append([line.removeprefix("Caused by: ")])
        else:
            found[-1].append(line)
    return found


def _java_cause(lines: list[str]) -> tuple[str, str]:
    """Return class and message of a cause; a message may have several lines."""
    heading, *rest = lines
    more = takewhile(lambda line: not re.match(r"\s+(at |\.\.\. \d+|Suppressed: )", line), rest)
    name, _, words = heading.partition(": ")
    if " " in name:  # no class: somebody has written a sentence
        return "", " ".join([heading, *more])
    return name.rpartition(".")[2], " ".join([words, *more]).strip()


def _words(error: BaseException) -> str:
    first = error.args[0] if error.args else None
    if (
        type(first).__name__ == "KafkaError"
    ):  # by name: a command that never meets Kafka need not load its client
        return f"{first.name()}: {first.str()}"  # type: ignore[union-attr]  # it is no None
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - whoever reports a failure must not fail by it
        return ""
