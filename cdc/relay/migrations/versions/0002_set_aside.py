"""Rows that Kafka refuses are set aside, so that they hold up nothing but what follows of their key."""

from cdc.migrations import operations

revision = "relay_0002"
down_revision = "relay_0001"

CREATE = """
create table set_aside (
    outbox            text        not null,
    seq               bigint      not null,
    shard             integer     not null,
    id                uuid        not null,
    topic             text        not null,
    aggregate_id      text        not null,
    payload           bytea       not null,
    type              text        not null,
    source            text        not null,
    specversion       text        not null,
    occurred_at       timestamptz not null,
    correlation_id    uuid        not null,
    causation_id      uuid,
    aggregate_version bigint,
    traceparent       text,
    because           text        not null check (because in ('topic', 'row', 'behind')),
    reason            text        not null default '',
    set_aside_at      timestamptz not null default clock_timestamp(),
    constraint set_aside_pkey primary key (outbox, seq)
);
-- serves the relay, which looks for the rows of a key
create index set_aside_of_key on set_aside (outbox, topic, hashtextextended(aggregate_id, 0), seq);

grant select, insert, delete on set_aside to tailrace_relay;

comment on table set_aside is
    'Copies of rows that count as published for `progress` and are not: Kafka has refused them, or one before them of '
    'their key. The relay tries them again, and removes what was delivered.';
comment on column set_aside.because is
    'topic: it does not exist, or a partition has no leader; row: Kafka refuses this row; behind: a row before it';
"""


def upgrade() -> None:
    operations.execute(CREATE)
