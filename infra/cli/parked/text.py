"""How parked messages, and what was done about them, are put into words and into JSON."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cdc.text import printable
from consumers.runtime.parked.message import Action, Parked, Totals, key_text
from infra.cli.screen import style
from infra.text import age, counted, duration, local, one_line

COLOURS = {"dead": "red", "retrying": "yellow", "waiting": "blue"}


def lines(message: Parked, now: datetime) -> Iterator[str]:
    state = style(f"{message.state:<8}", fg=COLOURS[message.state])
    type_ = style(printable(message.type or "of no known type"), bold=True)
    key = key_text(message.key)
    yield (
        f"{state}  {message.place}  {type_}  {message.consumer}  {'no key' if key is None else f'key {key}'}"
    )
    yield f"          {error(message)}"
    yield f"          {', '.join(_circumstances(message, now))}"


def error(message: Parked) -> str:
    if not message.error_class:
        return (
            "not tried yet: a message before it is parked"
            if message.number > 1
            else "not tried yet"
        )
    return one_line(message.error_class, message.error_text)


def status(message: Parked, now: datetime) -> str:
    if message.number > 1:
        return f"waits behind {counted(message.number - 1, 'message')} of its key"
    if message.status == "dead":
        return f"a dead letter after {counted(message.attempts, 'attempt')}"
    assert message.next_attempt_at is not None  # noqa: S101 - the table has a constraint on it
    wait = int((message.next_attempt_at - now).total_seconds())
    when = f"in {duration(wait)}" if wait > 0 else "now"
    if not message.attempts:
        return f"tried {when}"
    return f"failed {counted(message.attempts, 'time')}, tried again {when}"


def summary(totals: Totals) -> str:
    first = totals.dead + totals.retrying
    text = f"{totals.dead} dead, {totals.retrying} being retried"
    if totals.behind:
        text += f"; {counted(totals.behind, 'message')} behind them"
    elif waiting := totals.messages - first:
        text += f"; {counted(waiting, 'message')} that wait behind others"
    return text + "."


def action_line(action: Action, *, of_one_message: bool = False) -> str:
    what = f"{action.place}  {printable(action.type or 'of no known type')}  {action.consumer}  "
    return (
        f"{local(action.at)}  {action.action:<5}  {'' if of_one_message else what}"
        f"by {printable(action.actor)}: {printable(action.why)}"
    )


def message_as_json(message: Parked) -> dict[str, Any]:
    return {
        "consumer": message.consumer,
        "place": str(message.place),
        "topic": message.topic,
        "partition": message.partition,
        "offset": message.offset,
        "type": message.type,
        "key": key_text(message.key),
        "message_id": str(message.message_id) if message.message_id else None,
        "status": message.state,
        "attempts": message.attempts if message.number == 1 else 0,
        "next_attempt_at": _iso(message.next_attempt_at if message.number == 1 else None),
        "behind": message.behind,
        "reason": message.reason,
        "error_class": message.error_class,
        "error_text": message.error_text,
        "edited": message.edited,
        "recorded_at": _iso(message.recorded_at),
        "parked_at": _iso(message.parked_at),
        "failed_at": _iso(message.failed_at),
    }


def action_as_json(action: Action) -> dict[str, Any]:
    return {
        "at": _iso(action.at),
        "action": action.action,
        "actor": action.actor,
        "why": action.why,
        "consumer": action.consumer,
        "place": str(action.place),
        "type": action.type,
        "key": key_text(action.key),
        "reason": action.reason,
        "error_class": action.error_class,
        "error_text": action.error_text,
    }


def _circumstances(message: Parked, now: datetime) -> Iterator[str]:
    yield status(message, now)
    if message.behind:
        yield f"{counted(message.behind, 'message')} behind it"
    if message.edited:
        yield "edited"
    yield f"parked {age(message.parked_at, now)}"


def _iso(moment: datetime | None) -> str | None:
    return moment.astimezone(UTC).isoformat() if moment else None
