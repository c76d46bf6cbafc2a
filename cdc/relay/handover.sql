-- Statements by which the relay and the connector hand the work to each other.

-- name: is_publishing
select exists(select from progress);

-- name: slot_horizon
-- Every transaction before the slot's catalog_xmin had ended before the point up to which the connector has confirmed. As text
-- of a snapshot that sees those and no others; xids of slots have 32 bits, and age() tells how far back they are.
select format('%%1$s:%%1$s:', greatest(
    3, pg_snapshot_xmax(pg_current_snapshot())::text::bigint - age(catalog_xmin)
))
from pg_replication_slots
where slot_name = %(slot)s and catalog_xmin is not null;

-- name: unconfirmed_of_before
-- Whether there is a row that carries no transaction, from before there was the column, and that a slot has not confirmed.
select exists(
    select from outbox
    where transaction_id = '0'
      and age(xmin) between 0 and (select age(catalog_xmin) from pg_replication_slots where slot_name = %(slot)s)
);

-- name: begin
insert into progress (outbox, shard, since)
select outbox, shard, %(since)s from unnest(%(outboxes)s::text[]) as outbox, generate_series(0, %(shards)s - 1) as shard
on conflict do nothing
returning outbox;

-- name: end
delete from progress;

-- name: slot_exists
select exists(select from pg_replication_slots where slot_name = %(slot)s);

-- name: create_slot
select pg_create_logical_replication_slot(%(slot)s, 'pgoutput', false, false, true);

-- name: drop_slot
select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %(slot)s;
