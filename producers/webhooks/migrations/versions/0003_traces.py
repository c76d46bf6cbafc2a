"""A delivery knows the trace of the event that it tells of, and so where its calls belong."""

from cdc.migrations import operations

revision = "webhooks_0003"
down_revision = "webhooks_0002"

CHANGE = """
alter table delivery add column traceparent text;
comment on column delivery.traceparent is 'W3C trace context of the handling of the event; null where none is recorded';
"""


def upgrade() -> None:
    operations.execute(CHANGE)
