-- A publisher may read several slots, each with some of the keys, as `slot:one,two`: each has to have come so far.
create or replace function outbox_unpublished(publisher text, noted_lsn pg_lsn, noted_xid xid8) returns text
language plpgsql stable
set search_path = :schema, pg_temp
as $$
declare
    slots  constant text[] := string_to_array(substring(publisher from '^slot:(.+)$'), ',');
    relay  constant text := substring(publisher from '^relay:(.+)$');
    wanted text;
    slot   pg_replication_slots;
    behind bigint;
    known  bigint;
begin
    if relay is not null then
        -- a snapshot has seen all that was committed before its xmin
        execute format(
            'select count(*) filter (where pg_snapshot_xmin(since) < $1), count(*) from %I.progress where outbox = $2', relay
        ) into behind, known using noted_xid, current_schema;
        return case
            when known = 0 then 'the relay has not begun to publish it'
            when behind > 0 then format('the relay has to come to transaction %s with %s of %s shards', noted_xid, behind, known)
        end;
    end if;
    if slots is null then
        return format('nothing is known of a publisher %L', publisher);
    end if;
    foreach wanted in array slots loop
        select s.* into slot from pg_replication_slots as s
        where s.slot_name = wanted and s.database = current_database();
        if slot.slot_name is null then
            return format('the replication slot %s is gone, and with it what it had left to publish', wanted);
        elsif slot.wal_status = 'lost' or slot.invalidation_reason is not null then
            return format('the replication slot %s is lost (%s)', wanted, coalesce(slot.invalidation_reason, 'lost'));
        elsif slot.confirmed_flush_lsn is null or slot.confirmed_flush_lsn < noted_lsn then
            return format(
                'the replication slot %s has confirmed %s, and has to come to %s',
                wanted, coalesce(slot.confirmed_flush_lsn::text, 'nothing'), noted_lsn
            );
        end if;
    end loop;
    return null;
end;
$$;
