"""Looking after the outboxes of this installation, as the one role that may."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from cdc.database import connect
from cdc.retention.rounds import Day, maintain
from infra.deployment import Deployment
from infra.publishing import name_of, publisher
from infra.services import OUTBOXES, RETENTION


def look_after(
    deployment: Deployment, kept: timedelta, *, dry_run: bool
) -> Mapping[str, Sequence[Day]]:
    """Have every outbox looked after once; return what became of its partitions, by schema."""
    by = name_of(publisher(deployment))
    with connect(deployment.database_url(RETENTION), autocommit=True) as connection:
        return {
            schema: maintain(connection, schema, publisher=by, kept=kept, dry_run=dry_run)
            for schema in OUTBOXES
        }
