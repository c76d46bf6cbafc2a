"""The check of retention: days of messages are made ahead, and old ones do not pile up."""

from datetime import UTC, datetime, timedelta
from functools import partial

from cdc.retention.rounds import troubles
from infra.deployment import Deployment
from infra.operations.doctor.check import Check, Trouble
from infra.retention_access import look_after


def _retention(deployment: Deployment) -> str:
    today, kept = datetime.now(UTC).date(), timedelta(days=deployment.outbox_days)
    outboxes = look_after(deployment, kept, dry_run=True)
    found = [
        f"{schema}: {trouble}"
        for schema, days in outboxes.items()
        for trouble in troubles(days, today=today, kept=kept)
    ]
    if found:
        raise Trouble("; ".join(found), "run `tailrace outbox prune`, which tells more")
    partitions = sum(len(days) for days in outboxes.values())
    return f"{partitions} partitions of messages, made ahead, none beyond its time"


def retention_checks(deployment: Deployment) -> tuple[Check, ...]:
    return (Check("outbox retention", partial(_retention, deployment), needs=("postgres",)),)
