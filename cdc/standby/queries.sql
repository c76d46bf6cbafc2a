-- Statements about a standby and what depends on it. `standby`, and those that change settings, are for the primary.

-- name: standby
-- How the standby of that name stands. Waited for are those who commit, and what the connector publishes.
select
    coalesce(r.state = 'streaming', false) as is_streaming,
    current_setting('synchronous_standby_names') <> '' and current_setting('synchronized_standby_slots') <> ''
        as is_waited_for,
    coalesce(r.sync_state = 'sync', false) as is_synchronous,
    coalesce(r.flush_lsn, '0/0')::text as flushed_lsn,
    pg_current_wal_flush_lsn()::text as written_lsn
from (values (1)) as one left join pg_stat_replication as r on r.application_name = %s
limit 1;

-- name: make_slot
-- It holds back WAL from now on, so that a copy made later finds what it needs.
select pg_create_physical_replication_slot(slot_name, true) from (values (%s::name)) as wanted (slot_name)
where not exists (select from pg_replication_slots as s where s.slot_name = wanted.slot_name);

-- name: synchronised_slot
-- Asked of a standby: the copy it keeps of a failover slot. A temporary one has not got to where the standby could use it.
select
    synced, temporary, failover, invalidation_reason, restart_lsn::text, confirmed_flush_lsn::text
from pg_replication_slots where slot_name = %s;

-- name: reload
select pg_reload_conf();

-- name: log_snapshot
-- Lets a logical slot move its beginning, which a standby has to have reached before it can keep a copy.
select pg_log_standby_snapshot();

-- name: change_catalogue
-- Asked in the database of a logical slot. Decoding takes a new snapshot of the catalogue only when that changes; under load,
-- what it decodes clings to the old one, and with it the rows that the slot has kept, to which a standby cannot go back.
analyze pg_catalog.pg_am;

-- name: is_standby
select pg_is_in_recovery();

-- name: promote
select pg_promote(true, %s);
