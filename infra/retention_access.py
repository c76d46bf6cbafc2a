"""Looking after the outboxes of this installation, as the one role that may."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from cdc.database import connect
from cdc.retention.rounds import Day, maintain
from infra.deployment import Deployment, Publisher
from infra.publishing import name_of, publisher_for
from infra.services import RETENTION
from infra.sharding.marks import require_shards


def looked_after(deployment: Deployment, publisher: Publisher) -> str:
    """Return what the program of retention is told of databases and their outboxes."""
    return " | ".join(
        f"{name_of(publisher, each)} {','.join(each.outboxes)} {each.database.url(RETENTION)}"
        for each in deployment.captures
    )


def look_after(
    deployment: Deployment, kept: timedelta, *, dry_run: bool
) -> Mapping[str, Sequence[Day]]:
    """Have every outbox looked after once; return what became of its partitions, by outbox."""
    if not dry_run:
        require_shards(deployment, RETENTION)  # each of them has to have published what is dropped
    done = {}
    for capture in deployment.captures:
        by = name_of(publisher_for(capture), capture)
        with connect(capture.url(RETENTION), autocommit=True) as connection:
            for schema in capture.outboxes:
                done[capture.outbox_label(schema)] = maintain(
                    connection, schema, publisher=by, kept=kept, dry_run=dry_run
                )
    return done
