"""Outboxes held against Kafka: that every row has come there that its publisher is past.

What was found in Kafka once is not looked for again: how far that was is noted in the state.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from cdc.reconciliation import Window
from cdc.recovery.gap import Gap, Place, find_gaps
from infra.capture import outbox_urls
from infra.deployment import Capture, Deployment
from infra.drift.database import open_database
from infra.drift.difference import Difference
from infra.reconciliation import publisher_of
from infra.services import CANARY
from schemas.catalogue import catalogue
from schemas.files import read_json, replace_file

FILE = "delivered-until.json"
HORIZON = """
select least(
    clock_timestamp(), (select min(xact_start) from pg_stat_activity where pid <> pg_backend_pid()),
    (select min(prepared) from pg_prepared_xacts)
)
"""


def delivery_differences(deployment: Deployment, patience_s: float) -> list[Difference]:
    """Return which topics lack rows that whoever publishes has passed over."""
    horizon = _horizon(deployment)
    delivered = _delivered_until(deployment)
    # one that is yet to come was told by a clock that was ahead
    since = delivered if delivered and delivered <= horizon else None
    found = find_gaps(place(deployment, Window(since=since), patience_s), _topics(), silent)
    if not found.gaps and found.newest:
        # no further than to what was compared: the clock may be ahead just now
        _note(deployment, min(horizon, found.newest))
    return [_difference(gap) for gap in found.gaps if gap.is_certain]


def place(deployment: Deployment, window: Window, patience_s: float) -> Place:
    return Place(
        bootstrap=deployment.kafka_bootstrap,
        outboxes=outbox_urls(deployment),
        publisher=publisher_of(deployment),
        window=window,
        patience_s=patience_s,
    )


@contextmanager
def silent(
    words: str,  # noqa: ARG001 - named by the protocol
    total: int,  # noqa: ARG001
) -> Iterator[Callable[[int], None]]:
    yield lambda _: None


def _topics() -> list[str]:
    """Return the topics that outboxes feed and that matter: a canary that was not seen is sent again.

    What goes to Kafka past the outboxes, as requests do, has no row that could be missing.
    """
    return [
        topic.name
        for topic in catalogue().topics.values()
        if topic.messages and not topic.is_direct and topic.owner != CANARY
    ]


def _horizon(deployment: Deployment) -> datetime:
    """Return the moment before which every row was written that is still to be committed."""
    return min(map(_horizon_of, deployment.captures))


def _horizon_of(capture: Capture) -> datetime:
    with open_database(capture) as connection:
        [[moment]] = connection.execute(HORIZON).fetchall()
    return moment  # type: ignore[no-any-return]


def _delivered_until(deployment: Deployment) -> datetime | None:
    noted = read_json(deployment.state / FILE)
    return datetime.fromisoformat(noted) if noted else None


def _note(deployment: Deployment, moment: datetime) -> None:
    replace_file(deployment.state / FILE, json.dumps(moment.isoformat()), 0o666)


def _difference(gap: Gap) -> Difference:
    return Difference(
        thing=f"topic {gap.topic}: delivery",
        declared="complete",
        actual=f"short of {gap.rows:,} rows that their publisher is past, the first of {gap.first}",
        remedy="run `tailrace outbox backfill`",
    )
