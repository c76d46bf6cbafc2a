"""The command that has messages tried again, and follows what becomes of them: `parked retry`."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from consumers.runtime.parked.acting import Actions, By, busy
from consumers.runtime.parked.following import FailedAgain, Followed
from consumers.runtime.parked.message import RecordPlace
from consumers.runtime.parked.selection import Selection
from infra.cli.output import console, json_option, print_json
from infra.cli.parked.access import (
    Chosen,
    Desk,
    NotFirstError,
    choose,
    confirm,
    one_at,
    open_desks,
    require_selection,
)
from infra.cli.parked.options import (
    acting,
    all_option,
    optional_place_argument,
    selecting,
    yes_option,
)
from infra.cli.parked.text import counted, one_line
from infra.cli.progress import counting
from infra.cli.schema.baseline import examples
from infra.cli.values import RATE, seconds
from infra.settings import Settings, load_settings

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.2
KAFKA_TIMEOUT_S = 5.0
FAILURES_SHOWN = 20


@click.command()
@optional_place_argument
@selecting
@all_option
@acting
@yes_option
@click.option(
    "--rate",
    type=RATE,
    metavar="N",
    help="Only so many a second, so that who was just repaired is not overrun.",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=seconds(),
    metavar="SECONDS",
    help=f"How long to follow them.  [default: {PATIENCE_S:g}, and what --rate takes]",
)
@click.option("--wait/--no-wait", default=True, help="Follow them, or leave them to the worker.")
@json_option
@click.pass_context
@examples(
    "tailrace parked retry order.events/3/17 --why 'the card processor is back'",
    "tailrace parked retry --consumer payments-worker --error Timeout --rate 10 --yes --why 'it is back'",
)
def retry(  # noqa: PLR0913 - one parameter per option
    context: click.Context,
    *,
    place: RecordPlace | None,
    selection: Selection,
    everything: bool,
    by: By,
    yes: bool,
    rate: float | None,
    timeout_s: float | None,
    wait: bool,
    as_json: bool,
) -> None:
    """Have the message at PLACE, or all that the filters choose, tried again as if it had never failed.

    The consumer's worker does the work: first the message, then those that wait behind it, in their order. Followed to
    the end, unless --no-wait is given. Ends with 1 if a message failed again or is still waiting.
    """
    require_selection(place, selection, everything=everything)
    settings = load_settings()
    with open_desks(settings, selection.consumer) as desks:
        chosen = _chosen(desks, place, selection)
        if len(chosen) > 1:
            confirm(_question(chosen), yes=yes)
        result = _make_due(chosen, by, rate)
        result.idle = _idle_consumers(settings, result.due)
        if wait:
            timeout_s = PATIENCE_S + len(chosen) / rate if rate and timeout_s is None else timeout_s
            _follow(result, PATIENCE_S if timeout_s is None else timeout_s, quiet=as_json)
    if place and result.busy:
        raise busy(result.busy[0].message)
    if as_json:
        print_json(result.as_json(followed=wait))
    else:
        _report(result, followed=wait)
    context.exit(0 if result.is_good(followed=wait) else 1)


@dataclass
class _Result:
    """What became of a retry, message by message."""

    due: list[Chosen] = field(default_factory=list)
    gone: list[Chosen] = field(default_factory=list)
    busy: list[Chosen] = field(default_factory=list)
    idle: dict[str, str] = field(default_factory=dict)
    """Consumers whose worker does not run, and how that is told."""
    through: int = 0
    failed: list[FailedAgain] = field(default_factory=list)

    @property
    def waiting(self) -> int:
        return len(self.due) - self.through - len(self.failed)

    @property
    def took_effect(self) -> int:
        return self.through + sum(each.is_behind for each in self.failed)

    def is_good(self, *, followed: bool) -> bool:
        return not (self.busy or self.failed or (followed and self.waiting))

    def as_json(self, *, followed: bool) -> dict[str, Any]:
        return {
            "due": len(self.due),
            "gone": len(self.gone),
            "busy": [str(each.message.place) for each in self.busy],
            "not_running": self.idle,
            "followed": followed,
            "took_effect": self.took_effect,
            "failed": [
                {
                    "consumer": each.consumer,
                    "place": str(each.place),
                    "behind": str(each.retried) if each.is_behind else None,
                    "error_class": each.error_class,
                    "error_text": each.error_text,
                }
                for each in self.failed
            ],
            "waiting": self.waiting,
        }


def _chosen(desks: Sequence[Desk], place: RecordPlace | None, selection: Selection) -> list[Chosen]:
    if place is None:
        return choose(desks, selection)
    chosen = one_at(desks, place, selection)
    if chosen.message.number > 1:
        [(first, _)] = chosen.desk.messages.others(chosen.message, 1)
        raise NotFirstError(
            f"{place} waits behind {first}, the first message of its key that failed: retry or skip that one."
        )
    return [chosen]


def _question(chosen: Sequence[Chosen]) -> str:
    behind = sum(each.message.behind for each in chosen)
    also = f", and then {counted(behind, 'message')} behind them" if behind else ""
    return f"Retry {counted(len(chosen), 'message')}{also}?"


def _make_due(chosen: Sequence[Chosen], by: By, rate: float | None) -> _Result:
    result = _Result()
    for number, each in enumerate(chosen):
        delay_s = number / rate if rate else 0.0
        match Actions(each.desk.connection, by).retry(each.message, delay_s=delay_s):
            case "done":
                result.due.append(each)
            case "gone":
                result.gone.append(each)
            case "busy":
                result.busy.append(each)
    return result


def _idle_consumers(settings: Settings, due: Sequence[Chosen]) -> dict[str, str]:
    """Return the consumers whose group has no member: nobody picks their messages up."""
    consumers = sorted({each.message.consumer for each in due})
    if not consumers:
        return {}
    kafka = AdminClient({"bootstrap.servers": settings.kafka_bootstrap, "log_level": 0})
    found: dict[str, str] = {}
    answers = kafka.describe_consumer_groups(consumers, request_timeout=KAFKA_TIMEOUT_S)
    for consumer, answer in answers.items():
        try:
            if not answer.result().members:
                found[consumer] = "does not run"
        except KafkaException as error:
            absent = error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND
            found[consumer] = (
                "does not run" if absent else "may not run: Kafka does not say who is at work"
            )
    return found


def _follow(result: _Result, timeout_s: float, *, quiet: bool) -> None:
    """Wait until each message is through or has failed again, as far as a worker is there to try it."""
    tried = [each for each in result.due if each.message.consumer not in result.idle]
    by_desk = {id(each.desk): each.desk for each in tried}
    followed = [
        Followed(desk.connection, [each.message for each in tried if each.desk is desk])
        for desk in by_desk.values()
    ]
    deadline = time.monotonic() + timeout_s
    with counting(console(stderr=True), "tried again", len(tried), shown=not quiet) as show:
        while True:
            for each in followed:
                each.look()
            waiting = sum(len(each.waiting) for each in followed)
            show(len(tried) - waiting)
            if not waiting or time.monotonic() > deadline:
                break
            time.sleep(LOOK_EVERY_S)
    result.through = sum(each.through for each in followed)
    result.failed = [failed for each in followed for failed in each.failed]


def _report(result: _Result, *, followed: bool) -> None:
    if not (result.due or result.busy):
        click.echo(
            f"{counted(len(result.gone), 'message')} took effect, or was skipped, just before; nothing was done."
            if result.gone
            else "Nothing that is parked is like that; nothing was done."
        )
        return
    told = f"{counted(len(result.due), 'message')} due"
    if followed:
        behind = sum(each.is_behind for each in result.failed)
        told += (
            f": {result.took_effect} took effect, {len(result.failed) - behind} failed again, "
            f"{result.waiting} still waiting"
        )
        if behind:
            told += f"; {counted(behind, 'message')} behind them failed"
    click.echo(f"{told}.")
    for each in result.failed[:FAILURES_SHOWN]:
        click.echo(
            f"  {each.place}  {each.consumer}  {one_line(each.error_class, each.error_text)}"
        )
    if (more := len(result.failed) - FAILURES_SHOWN) > 0:
        click.echo(f"  and {more} more; `tailrace parked list` shows them")
    for consumer, trouble in result.idle.items():
        click.echo(
            f"{consumer} {trouble}: nothing is tried until it runs; `tailrace status` shows what does.",
            err=True,
        )
    if result.busy:
        click.echo(
            f"{counted(len(result.busy), 'message')} left alone, held by a worker just now: retry again in a moment.",
            err=True,
        )
