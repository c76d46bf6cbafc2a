-- The inbox by days. An id is a UUIDv7, which begins with the time at which it was made, so that a range of ids is a range
-- of time, uniqueness of (consumer, message_id) holds within a partition, and a day is dropped instead of deleted.

alter table inbox rename to inbox_unpartitioned;
alter table inbox_unpartitioned rename constraint inbox_pkey to inbox_unpartitioned_pkey;

create table inbox (
    consumer   text not null,
    message_id uuid not null,
    primary key (consumer, message_id)
) partition by range (message_id);

create table inbox_window (
    consumer text primary key,
    kept     interval check (kept > interval '0')
);
comment on table inbox_window is 'how long each consumer of this schema has to remember ids; null is for ever';

create function inbox_id_at(moment timestamptz) returns uuid
language sql immutable strict
return (lpad(to_hex((extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid;
comment on function inbox_id_at is 'the smallest UUIDv7 of a millisecond, its version left out';

-- Makes the days that are missing, up to three ahead, and drops those that no consumer has to remember. A day is made beside
-- the inbox and then attached, which lets inserts go on; a drop has to wait for the transactions under way, and gives up
-- after a moment until the next time. Where ids are kept for ever, one partition takes all that is older than the first day.
create function maintain_inbox(out first_id uuid, out end_id uuid)
language plpgsql security definer
set search_path = :schema, pg_temp
set lock_timeout = '2s'
as $$
declare
    today   constant date := (now() at time zone 'UTC')::date;
    kept    interval;
    forever boolean;
    oldest  date;
    day     date;
    name    text;
begin
    perform pg_advisory_xact_lock(hashtext('maintain_inbox:' || current_schema));
    select max(w.kept), bool_or(w.kept is null) into kept, forever from inbox_window as w;
    select min(right(relname, 8)::date) into oldest
    from pg_inherits join pg_class on oid = inhrelid
    where inhparent = 'inbox'::regclass and relname ~ '^inbox_\d{8}$';

    oldest := coalesce(
        case when to_regclass('inbox_earlier') is not null then oldest end,
        least(oldest, ((now() - kept) at time zone 'UTC')::date, today)
    );
    for day in select generate_series(oldest, today + 3, interval '1 day')::date loop
        name := 'inbox_' || to_char(day, 'YYYYMMDD');
        continue when to_regclass(name) is not null;
        execute format('create table %I (like inbox including all)', name);
        execute format(
            'alter table inbox attach partition %I for values from (%L) to (%L)', name,
            inbox_id_at(day::timestamp at time zone 'UTC'), inbox_id_at((day + 1)::timestamp at time zone 'UTC')
        );
    end loop;

    if forever then
        if to_regclass('inbox_earlier') is null then
            create table inbox_earlier (like inbox including all);
            execute format(
                'alter table inbox attach partition inbox_earlier for values from (minvalue) to (%L)',
                inbox_id_at(oldest::timestamp at time zone 'UTC')
            );
        end if;
    else
        begin
            if oldest <= ((now() - kept) at time zone 'UTC')::date then
                drop table if exists inbox_earlier;
            end if;
            while oldest < ((now() - kept) at time zone 'UTC')::date loop
                execute format('drop table if exists %I', 'inbox_' || to_char(oldest, 'YYYYMMDD'));
                oldest := oldest + 1;
            end loop;
        exception when lock_not_available then
            null; -- the ids stay a little longer
        end;
    end if;

    if to_regclass('inbox_earlier') is null then
        select inbox_id_at(min(right(relname, 8)::date)::timestamp at time zone 'UTC') into first_id
        from pg_inherits join pg_class on oid = inhrelid
        where inhparent = 'inbox'::regclass;
    end if;
    end_id := inbox_id_at((today + 4)::timestamp at time zone 'UTC');
end;
$$;
comment on function maintain_inbox is 'returns the first id that the inbox takes, null when there is no bound, and the first it does not';

do $$
begin
    if exists (select from inbox_unpartitioned) then
        insert into inbox_window select distinct consumer, null::interval from inbox_unpartitioned;
        perform maintain_inbox();
        insert into inbox select * from inbox_unpartitioned;
    end if;
end;
$$;
drop table inbox_unpartitioned;

grant select, insert on inbox to :role;
grant select, insert, update on inbox_window to :role;
revoke execute on function maintain_inbox from public;
grant execute on function maintain_inbox to :role;
