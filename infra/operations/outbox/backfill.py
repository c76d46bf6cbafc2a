"""Publishing rows that whoever publishes has passed over."""

from datetime import datetime

from cdc.database import connect, is_alone
from cdc.reconciliation import Progress, Window, open_outboxes
from cdc.recovery.gap import Gap, fill_gap, find_gaps
from cdc.recovery.publish import Published
from infra.capture import outbox_urls
from infra.deployment import Deployment
from infra.drift.delivery import place
from infra.drift.difference import Difference, told
from infra.drift.publication import publication_differences
from infra.errors import TailraceError
from infra.publishing import publisher
from infra.services import OWNER

PATIENCE_S = 30.0


class BackfillError(TailraceError):
    """Rows cannot be published now without losing or repeating others."""


def _unpublished(deployment: Deployment) -> list[Difference]:
    found: list[Difference] = []
    for capture in deployment.captures:
        with connect(capture.url(OWNER), autocommit=True) as connection:
            found += publication_differences(connection, capture)
    return found


def backfill(
    deployment: Deployment, since: datetime | None, progress: Progress, *, dry_run: bool = False
) -> list[Gap | Published]:
    """Publish rows that Kafka lacks although their publisher is past them; return what was done, by topic."""
    with connect(deployment.main.url(OWNER), autocommit=True) as connection:
        if not is_alone(connection, "tailrace outbox backfill"):
            raise BackfillError("Another `tailrace outbox backfill` is at work: wait for it.")
        if publisher(deployment) == "cdc" and (differing := _unpublished(deployment)):
            raise BackfillError(
                f"Rows that are written now would be missing again, as {told(differing)[0]}: "
                "run `tailrace migrate` first."
            )
        where = place(deployment, Window(since=since), PATIENCE_S)
        with open_outboxes(outbox_urls(deployment)) as outboxes:
            topics = outboxes.topics()
        if dry_run:
            return [*find_gaps(where, topics, progress).gaps]
        done = [fill_gap(where, topic, progress) for topic in topics]
    return [each for each in done if each is not None]
