"""The check of retention: days of messages are made ahead, and old ones do not pile up."""

from datetime import UTC, datetime, timedelta

from cdc.retention.rounds import troubles
from infra.local.doctor.check import Check, Trouble
from infra.retention_access import look_after
from infra.settings import Settings


def _retention(settings: Settings) -> str:
    today, kept = datetime.now(UTC).date(), timedelta(days=settings.outbox_days)
    outboxes = look_after(settings, kept, dry_run=True)
    found = [
        f"{schema}: {trouble}"
        for schema, days in outboxes.items()
        for trouble in troubles(days, today=today, kept=kept)
    ]
    if found:
        raise Trouble("; ".join(found), "run `tailrace outbox prune`, which tells more")
    partitions = sum(len(days) for days in outboxes.values())
    return f"{partitions} partitions of messages, made ahead, none beyond its time"


RETENTION_CHECKS = (Check("outbox retention", _retention, needs=("postgres",)),)
