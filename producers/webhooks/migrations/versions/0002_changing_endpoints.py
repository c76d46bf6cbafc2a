"""Endpoints can be described and deleted; it is known which host they are of, and whether they answer soon."""

from cdc.migrations import operations

revision = "webhooks_0002"
down_revision = "webhooks_0001"

CHANGE = r"""
alter table endpoint
    add column description text,
    add column deleted_at timestamptz,
    add column is_swift boolean not null default false,
    add column host text generated always as (lower(substring(url from '://(\[[^]]*\]|[^/:?]+)'))) stored;

comment on column endpoint.deleted_at is 'set: nobody is shown it; its rows go when nobody works on them any more';
comment on column endpoint.is_swift is 'its last call was answered soon; others share a part of the calls under way';
comment on column endpoint.host is 'whom the calls under way are counted for';
grant delete on endpoint to "webhooks";
"""


def upgrade() -> None:
    operations.execute(CHANGE)
