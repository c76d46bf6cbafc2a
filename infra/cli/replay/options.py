"""The options of `tailrace replay` that choose messages, and what they mean."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial, reduce
from typing import Any

import click

from consumers.replay.bounds import Bound
from consumers.replay.selection import Selection
from consumers.replay.where import Condition
from consumers.runtime.parked.message import key_of
from infra.cli.values import BOUND, CONDITION, KEY_TEXT, TEXT, TOPIC
from schemas.catalogue import catalogue

_CHOOSING = (
    click.option(
        "--topic", "topics", type=TOPIC, multiple=True, help="Of this topic; may be repeated."
    ),
    click.option(
        "--from",
        "start",
        type=BOUND,
        multiple=True,
        help="From this time on, such as 2026-11-23T10:00 or 2h ago (2h); or from an offset of a partition.",
    ),
    click.option(
        "--to",
        "end",
        type=BOUND,
        multiple=True,
        help="Up to this time or offset, that not included.  [default: now]",
    ),
    click.option(
        "--key",
        "keys",
        type=KEY_TEXT,
        multiple=True,
        help="Of this key; \\x… for bytes in hexadecimal.",
    ),
    click.option(
        "--type",
        "types",
        type=TEXT,
        multiple=True,
        help="This message, such as orders.OrderCreated.",
    ),
    click.option("--id", "ids", type=click.UUID, multiple=True, help="Of this message id."),
    click.option(
        "--where",
        "where",
        type=CONDITION,
        multiple=True,
        help="That says this: currency=EUR, total>100, lines.0.sku=book-1. All of them must hold.",
    ),
)


def choosing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that choose messages."""
    return reduce(lambda made, option: option(made), reversed(_CHOOSING), command)


def selection_of(asked: Mapping[str, Any], topics: Sequence[str] = ()) -> Selection:
    """Return what the options choose.

    Args:
        asked: The options, as text.
        topics: Topics that are meant when none are named.

    Raises:
        click.UsageError: an option cannot be understood, or no topic is meant.
        ChoiceError: they contradict each other.
    """
    named = tuple(dict.fromkeys(asked["topics"])) or tuple(topics)
    if not named:
        raise click.UsageError("Say which topic is meant: --topic order.events.")
    require_types(named, asked["types"])
    now = datetime.now(UTC)
    return Selection(
        topics=named,
        start=_read("--from", partial(Bound.parse, now=now), asked["start"]),
        end=_read("--to", partial(Bound.parse, now=now), asked["end"]),
        keys=tuple(_read("--key", key_of, text) for text in asked["keys"]),
        types=tuple(asked["types"]),
        ids=tuple(asked["ids"]),
        where=tuple(_read("--where", Condition.parse, text) for text in asked["where"]),
    )


def _read(option: str, read: Callable[[Any], Any], text: Any) -> Any:
    try:
        return read(text)
    except ValueError as error:
        raise click.UsageError(f"{option}: {error}.") from error


def require_types(topics: Sequence[str], types: Sequence[str]) -> None:
    """Refuse to look for messages that the topics cannot carry.

    Raises:
        click.UsageError: there are some.
    """
    declared = [catalogue().topics[topic] for topic in topics if topic in catalogue().topics]
    if len(declared) < len(topics):
        return  # a topic that the catalogue does not know may carry anything
    known = [name for topic in declared for name in topic.messages]
    if unknown := [name for name in types if name not in known]:
        raise click.UsageError(
            f"{', '.join(topics)} carries no {', '.join(unknown)}; it carries {', '.join(known)}."
        )
