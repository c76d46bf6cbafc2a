"""Looking after the outboxes of this installation, as the one role that may."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from cdc.database import connect
from cdc.retention.rounds import Day, maintain
from infra.local.programs import publisher
from infra.local.retention import name_of
from infra.services import OUTBOXES, RETENTION
from infra.settings import Settings


def look_after(
    settings: Settings, kept: timedelta, *, dry_run: bool
) -> Mapping[str, Sequence[Day]]:
    """Have every outbox looked after once; return what became of its partitions, by schema."""
    by = name_of(publisher(settings))
    with connect(settings.database_url(RETENTION), autocommit=True) as connection:
        return {
            schema: maintain(connection, schema, publisher=by, kept=kept, dry_run=dry_run)
            for schema in OUTBOXES
        }
