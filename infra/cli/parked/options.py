"""What the commands about parked messages share: naming messages, filters, and on whose account something is done."""

from collections.abc import Callable
from dataclasses import replace
from functools import reduce, wraps
from typing import Any

import click

from consumers.runtime.parked.acting import Audit
from consumers.runtime.parked.selection import REASONS, Selection
from infra.cli.common import Function, who_option
from infra.cli.values import AGE, CONSUMER, KEY, PLACE, TEXT, TOPIC

place_argument = click.argument("place", type=PLACE, required=True)
optional_place_argument = click.argument("place", type=PLACE, required=False)
consumer_option = click.option(
    "--consumer", type=CONSUMER, help="Only of this consumer, such as payments-worker."
)
message_id_option = click.option("--message-id", type=click.UUID, help="Only of this id.")
waiting_option = click.option(
    "--waiting", is_flag=True, help="Also those that wait behind another message of their key."
)
_all = click.option("--all", "everything", is_flag=True, help="All that is parked.")
_why = click.option("--why", required=True, type=TEXT, help="The reason; it goes on record.")

_FILTERS = {
    "consumer": consumer_option,
    "topic": click.option("--topic", type=TOPIC, help="Only of this topic."),
    "type": click.option(
        "--type", type=TEXT, help="Only this message, such as orders.OrderCreated."
    ),
    "key": click.option("--key", type=KEY, help="Only of this key; \\x… for bytes in hexadecimal."),
    "message_id": message_id_option,
    "error": click.option("--error", type=TEXT, help="Only with this in the error."),
    "reason": click.option("--reason", type=click.Choice(REASONS), help="Only parked for this."),
    "status": click.option(
        "--status",
        type=click.Choice(("dead", "retrying")),
        help="Only those that wait for you, or that are tried again by themselves.",
    ),
    "older_than": click.option(
        "--older-than", type=AGE, help="Only parked for longer than 30m, 2h, 3d ..."
    ),
    "newer_than": click.option("--newer-than", type=AGE, help="Only parked for less than that."),
}


def selecting(command: Function) -> Any:
    """Add the filters; the command is given them as `selection`."""

    @wraps(command)
    def call(*args: Any, **options: Any) -> Any:
        filters = {name: options.pop(name) for name in _FILTERS}
        return command(*args, selection=Selection(**filters), **options)

    return reduce(lambda made, option: option(made), reversed(_FILTERS.values()), call)


def targeting(*options: Callable[[Any], Any]) -> Callable[[Function], Any]:
    """Add a place or filters, and `--all`; the command is given them as `target`, and may refuse it."""

    def add(command: Function) -> Any:
        from infra.operations.parked.messages import Target

        @wraps(command)
        def call(
            *args: Any, selection: Selection, place: Any, everything: bool, **rest: Any
        ) -> Any:
            meant = replace(selection, waiting=rest.pop("waiting", False))
            target = Target(place=place, selection=meant, everything=everything)
            return command(*args, target=target, **rest)

        stacked = reduce(lambda made, option: option(made), reversed((*options, _all)), call)
        return optional_place_argument(selecting(stacked))

    return add


def acting(command: Function) -> Any:
    """Add who acts and why; the command is given it as `by`."""

    @wraps(command)
    def call(*args: Any, why: str, who: str, **options: Any) -> Any:
        return command(*args, by=Audit(actor=who, why=why), **options)

    return who_option(_why(call))
