"""How far each shard of each outbox was published."""

from cdc.migrations import operations

revision = "relay_0001"
down_revision = None

CREATE = """
create table progress (
    outbox     text        not null,
    shard      integer     not null,
    since      pg_snapshot not null,
    upto       pg_snapshot,
    done       bigint,
    holder     text,
    held_since timestamptz,
    marked_at  timestamptz not null default now(),
    constraint progress_pkey primary key (outbox, shard),
    constraint progress_shard check (shard >= 0),
    constraint progress_window check ((upto is null) = (done is null))
) with (fillfactor = 50); -- room for the new version of a row beside the old one, some ten times a second

grant select on progress to tailrace_relay;
grant update (since, upto, done, holder, held_since, marked_at) on progress to tailrace_relay;

comment on table progress is
    'How far the relay has come. While a shard of an outbox has a row here, the relay owes what the row does not '
    'cover; without rows it is the connector that publishes.';
comment on column progress.outbox is 'schema of the outbox';
comment on column progress.since is 'published is what this snapshot sees ...';
comment on column progress.upto is '... and of what this one sees besides, if there is one,';
comment on column progress.done is '... the rows whose seq is not greater than this';
comment on column progress.holder is
    'the relay that holds the shard, or held it last; who really does is told by the advisory locks';
"""


def upgrade() -> None:
    operations.execute(CREATE)
