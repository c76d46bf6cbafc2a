-- The migration is one transaction, and what it locks it locks to the end. Rather than have every writer wait with it
-- for a long transaction, it gives up and can be run again.
set local lock_timeout = '5s';

alter table outbox add column began_at timestamptz;
alter table outbox alter column began_at set default now();
comment on column outbox.began_at is
    'when the transaction began that wrote the row: of a consumer, when it took what led to it; null for what was kept back, '
    'and for rows from before there was this column';
-- for what was kept back, where another transaction writes the row
grant insert (began_at) on outbox to :role;

-- A summary of each 32 pages instead of an entry a row: it costs the writers half of what a B-tree does (docs/decisions/0042).
-- Callers may bring correlation ids of their own, in no order, hence the Bloom filters, sized for the 800 rows that such a range
-- may have. For making it, the rows of before are read once.
create index outbox_flow on outbox using brin (
    correlation_id uuid_bloom_ops (n_distinct_per_range = 800),
    id uuid_minmax_multi_ops
) with (pages_per_range = 32);
comment on index outbox_flow is 'serves who asks what happened: the messages of a correlation id, and the message of an id';
