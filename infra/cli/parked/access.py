"""Finding the parked messages that a command means, in the schemas of all services that consume."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import click

from consumers.runtime.parked.message import Found, Parked, RecordPlace, Totals
from consumers.runtime.parked.reading import Connection, ParkedMessages
from consumers.runtime.parked.selection import Selection
from infra.consumer_access import open_schemas
from infra.errors import TailraceError
from infra.services import WORKERS
from infra.settings import Settings


class NotParkedError(TailraceError):
    """No message is parked from the place that was named."""


class NotFirstError(TailraceError):
    """A message cannot be tried before those in front of it."""


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the parked messages of one schema are worked on.

    Args:
        connection: Leads to the schema.
        messages: What is parked there.
    """

    connection: Connection
    messages: ParkedMessages


@dataclass(frozen=True, slots=True)
class Chosen:
    """A message that is meant, and where it is worked on."""

    desk: Desk
    message: Parked


@contextmanager
def open_desks(settings: Settings, consumer: str | None) -> Iterator[list[Desk]]:
    """Open the schemas in which messages may be parked, until the block ends.

    Args:
        settings: Where the database is.
        consumer: Only where this one may have any.

    Raises:
        click.UsageError: nobody of that name was ever at work.
    """
    with open_schemas(settings, consumer) as schemas:
        desks = [Desk(each.connection, ParkedMessages(each.connection)) for each in schemas]
        if consumer:
            _require_known(consumer, desks)
        yield desks


def find(desks: Sequence[Desk], selection: Selection, limit: int | None = None) -> Found:
    """Return the messages that are meant, oldest first, over all desks.

    Args:
        desks: Where to look.
        selection: Which are meant.
        limit: Most messages to return.
    """
    found = [desk.messages.find(selection, limit) for desk in desks]
    messages = sorted(
        (message for each in found for message in each.messages), key=lambda m: m.parked_at
    )
    return Found(messages[:limit], sum((each.totals for each in found), Totals()))


def choose(desks: Sequence[Desk], selection: Selection) -> list[Chosen]:
    """Return the messages that are meant, oldest first, each with its desk."""
    chosen = [
        Chosen(desk, message)
        for desk in desks
        for message in desk.messages.find(selection).messages
    ]
    return sorted(chosen, key=lambda each: each.message.parked_at)


def at_place(desks: Sequence[Desk], place: RecordPlace, selection: Selection) -> list[Chosen]:
    """Return the messages that are parked from a place.

    There is one for each consumer that could not digest it, and in a topic that was made anew there may be several.

    Args:
        desks: Where to look.
        place: The place.
        selection: Which of them are meant.
    """
    return choose(desks, replace(selection, waiting=True, **place._asdict()))


def one_at(desks: Sequence[Desk], place: RecordPlace, selection: Selection) -> Chosen:
    """Return the one message that is parked from a place.

    Args:
        desks: Where to look.
        place: The place.
        selection: Which is meant, where there are several.

    Raises:
        NotParkedError: none is.
        click.UsageError: several are.
    """
    chosen = at_place(desks, place, selection)
    if not chosen:
        raise NotParkedError(_not_parked(desks, place, selection.consumer))
    refuse_several(place, [each.message.consumer for each in chosen])
    if len(chosen) > 1:
        ids = " and ".join(str(each.message.message_id or "one without id") for each in chosen)
        raise click.UsageError(
            f"{place} is the place of {ids}, as the topic was made anew: say which is meant with --message-id."
        )
    return chosen[0]


def refuse_several(place: RecordPlace, consumers: Sequence[str]) -> None:
    """Have the user say whose message is meant, when several consumers have parked the same.

    Raises:
        click.UsageError: there are several.
    """
    if len(set(consumers)) > 1:
        raise click.UsageError(
            f"{place} is parked by {' and '.join(sorted(set(consumers)))}: say whose is meant with --consumer."
        )


def require_selection(place: RecordPlace | None, selection: Selection, *, everything: bool) -> None:
    """Refuse to act on messages that nobody has named.

    Raises:
        click.UsageError: nothing was named, or one message and a filter too.
    """
    if place is None and selection.is_everything and not everything:
        raise click.UsageError(
            "Say which messages are meant: the PLACE of one, --key, another filter, or --all."
        )
    if place is None:
        return
    if everything or not replace(selection, consumer=None, message_id=None).is_everything:
        raise click.UsageError(
            "A PLACE is one message; of the filters only --consumer and --message-id go with it."
        )


def confirm(question: str, *, yes: bool) -> None:
    """Ask whether something is meant, unless that was said already.

    Raises:
        click.UsageError: there is nobody to ask.
        click.Abort: it is not.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} There is nobody to ask here: say --yes if you mean it.")
    click.confirm(question, abort=True)


def _require_known(consumer: str, desks: Sequence[Desk]) -> None:
    known = {worker.name for worker in WORKERS}
    if consumer in known:
        return
    known.update(*(desk.messages.consumers() for desk in desks))
    if consumer not in known:
        raise click.UsageError(
            f"No consumer is called {consumer}; there are {', '.join(sorted(known))}."
        )


def _not_parked(desks: Sequence[Desk], place: RecordPlace, consumer: str | None) -> str:
    whose = f" by {consumer}" if consumer else ""
    if any(desk.messages.actions(consumer=consumer, place=place, limit=1) for desk in desks):
        return (
            f"{place} is not parked{whose} any more; `tailrace parked show {place}` shows what was "
            "done about it."
        )
    return f"{place} is not parked{whose}; `tailrace parked list` shows what is."
