-- Messages by day: made ahead, and dropped whole once they are old and published. Events are not touched by any of this.
--
--   outbox_message_20260301             one day, by UTC
--   outbox_message_20260301_20260304    several days that nobody had made ahead
--   outbox_message_until_20260301       everything up to the end of a day
--   outbox_message_default              takes what no other takes, so that inserting works if nobody has made days ahead

-- The time of a message is the database's to tell: a row that was put into the past could lie in a day that is being dropped.
revoke insert on outbox from :role;
grant insert (
    id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type,
    payload, correlation_id, causation_id, traceparent
) on outbox to :role;

create table outbox_day_end (
    name     text        not null primary key,
    lsn      pg_lsn      not null,
    xid      xid8        not null,
    noted_at timestamptz not null default clock_timestamp()
);
comment on table outbox_day_end is
    'Partitions of messages that nobody writes to any more, each with a place in the WAL and a transaction id that lie '
    'beyond everything in it: a publisher that has come this far has published it.';

create table outbox_hold (
    reason text        not null primary key,
    since  timestamptz not null default clock_timestamp()
);
comment on table outbox_hold is 'While there is a row, no day is dropped: somebody still needs what is in them.';

create function outbox_days(out name text, out first_day date, out last_day date) returns setof record
language sql stable
set search_path = :schema, pg_temp
as $$
    select relname, substring(relname from '^outbox_message_(\d{8})')::date, right(relname, 8)::date
    from pg_inherits join pg_class on oid = inhrelid
    where
        inhparent = 'outbox_message'::regclass
        and relname ~ '^outbox_message_(until_\d{8}|\d{8}(_\d{8})?)$'
    order by right(relname, 8)
$$;
comment on function outbox_days is 'The partitions of messages but the default one; the first day of the earliest may be null.';

create function outbox_midnight(day date) returns timestamptz
language sql immutable strict
return day::timestamp at time zone 'UTC';

-- The seam between retention and the publishers. Returns why a publisher may not have published everything that was committed
-- before a moment, and null if it has. A publisher that is not known here has published nothing.
create function outbox_unpublished(publisher text, noted_lsn pg_lsn, noted_xid xid8) returns text
language plpgsql stable
set search_path = :schema, pg_temp
as $$
declare
    wanted constant text := substring(publisher from '^slot:(.+)$');
    relay  constant text := substring(publisher from '^relay:(.+)$');
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
    if wanted is null then
        return format('nothing is known of a publisher %L', publisher);
    end if;
    select s.* into slot from pg_replication_slots as s
    where s.slot_name = wanted and s.database = current_database();
    case
        when slot.slot_name is null then
            return format('the replication slot %s is gone, and with it what it had left to publish', wanted);
        when slot.wal_status = 'lost' or slot.invalidation_reason is not null then
            return format('the replication slot %s is lost (%s)', wanted, coalesce(slot.invalidation_reason, 'lost'));
        when slot.confirmed_flush_lsn is null or slot.confirmed_flush_lsn < noted_lsn then
            return format(
                'the replication slot %s has confirmed %s, and has to come to %s',
                wanted, coalesce(slot.confirmed_flush_lsn::text, 'nothing'), noted_lsn
            );
        else
            return null;
    end case;
end;
$$;

-- Takes over what has come into the default partition because nobody had made days ahead: the table becomes the partition of
-- these days as it stands, without a row being moved, and another takes its place. Returns why that could not be.
create function outbox_take_over() returns text
language plpgsql
set search_path = :schema, pg_temp
as $$
declare
    earliest   timestamptz;
    latest     timestamptz;
    first_day  date;
    last_day   date;
    taken_over text;
begin
    lock table only outbox_message in access exclusive mode;
    select min(occurred_at), max(occurred_at) into earliest, latest from outbox_message_default;
    if earliest is null then
        return null;
    end if;
    if exists (
        select from outbox_days() as d
        where outbox_midnight(d.last_day + 1) > earliest and (d.first_day is null or outbox_midnight(d.first_day) <= latest)
    ) then
        return 'its rows lie both before and after days that have partitions';
    end if;
    select max(d.last_day) + 1 into first_day
    from outbox_days() as d where outbox_midnight(d.last_day + 1) <= earliest;
    select coalesce(min(d.first_day) - 1, (greatest(clock_timestamp(), latest) at time zone 'UTC')::date) into last_day
    from outbox_days() as d where outbox_midnight(d.first_day) > latest;

    taken_over := 'outbox_message_' || coalesce(to_char(first_day, 'YYYYMMDD'), 'until') || to_char(last_day, '_YYYYMMDD');
    delete from outbox_day_end as e where e.name = taken_over;
    alter table outbox_message detach partition outbox_message_default;
    execute format('alter table outbox_message_default rename to %I', taken_over);
    execute format(
        'alter table outbox_message attach partition %I for values from (%s) to (%L)', taken_over,
        coalesce(quote_literal(outbox_midnight(first_day)), 'minvalue'), outbox_midnight(last_day + 1)
    );
    create table outbox_message_default partition of outbox_message default;
    return null;
end;
$$;

-- One round of retention. Notes which days are over, drops those that are older than `kept` and published, takes over what came
-- into the default partition, and makes days ahead. Tells of every partition what becomes of it, and why: `dropped`, `made`,
-- `taken over` or `kept`. A dry run tells of what it would do, and does nothing.
--
-- A drop and a change of the default partition need the messages for themselves for a moment. Whoever has them in an open
-- transaction is waited for a quarter of a second, during which other writers of messages wait as well; then it is left to the
-- next round. Writers of events never wait.
create function maintain_outbox(
    publisher text, kept interval, dry_run boolean,
    out name text, out first_day date, out last_day date, out bytes bigint, out fate text, out why text
) returns setof record
language plpgsql security definer
set search_path = :schema, pg_temp
set lock_timeout = '5s'
as $$
declare
    -- how long after midnight a statement that began before it may still be on its way to its partition
    margin     constant interval := '1 hour';
    made_ahead constant int := 3;
    today      constant date := (now() at time zone 'UTC')::date;
    held       text;
    note       outbox_day_end;
    day        date;
    upper_end  timestamptz;
begin
    if kept is null or kept < interval '1 day' then
        raise exception 'messages are kept for at least a day, not %', kept using errcode = 'invalid_parameter_value';
    end if;
    if not dry_run then
        perform pg_advisory_xact_lock(hashtext('maintain_outbox:' || current_schema));
        perform set_config('lock_timeout', '250ms', true);
    end if;
    select string_agg(h.reason, '; ' order by h.since) into held from outbox_hold as h;

    for name, first_day, last_day in select d.* from outbox_days() as d loop
        bytes := pg_total_relation_size(name::regclass);
        fate := 'kept';
        why := null;
        upper_end := outbox_midnight(last_day + 1);
        select e.* into note from outbox_day_end as e where e.name = maintain_outbox.name;
        if note.name is null and not dry_run and upper_end + margin <= now() then
            -- who has written to it has a lock that this one waits for, until his transaction is over
            begin
                execute format('lock table %I in share mode nowait', name);
                insert into outbox_day_end (name, lsn, xid)
                values (name, pg_current_wal_insert_lsn(), pg_snapshot_xmax(pg_current_snapshot()))
                returning * into note;
            exception when lock_not_available then
                null; -- left to the next round
            end;
        end if;
        why := case
            when upper_end > now() then 'its time is not over'
            when upper_end > now() - kept then format('kept until %s', (last_day + 1 + kept)::date)
            when held is not null then 'held: ' || held
            when note.name is null and dry_run then 'its end is noted by the next round'
            when note.name is null then 'a transaction that may write to it is still open'
            else outbox_unpublished(publisher, note.lsn, note.xid)
        end;
        if why is null then
            fate := 'dropped';
            if not dry_run then
                begin
                    execute format('drop table %I', name);
                    delete from outbox_day_end as e where e.name = maintain_outbox.name;
                exception when lock_not_available then
                    fate := 'kept';
                    why := 'a transaction has read or written messages and is still open';
                end;
            end if;
        end if;
        return next;
    end loop;

    if exists (select from outbox_message_default) then
        name := 'outbox_message_default';
        first_day := null;
        last_day := null;
        bytes := pg_total_relation_size(name::regclass);
        fate := 'taken over';
        why := null;
        if not dry_run then
            begin
                why := outbox_take_over();
            exception when lock_not_available then
                why := 'a transaction has read or written messages and is still open';
            end;
        end if;
        if why is not null then
            fate := 'kept';
        end if;
        return next;
    end if;

    for day in select generate_series(today, today + made_ahead, interval '1 day')::date loop
        continue when exists (
            select from outbox_days() as d where day between coalesce(d.first_day, '-infinity') and d.last_day
        );
        name := 'outbox_message_' || to_char(day, 'YYYYMMDD');
        first_day := day;
        last_day := day;
        bytes := 0;
        fate := 'made';
        why := null;
        if not dry_run then
            begin
                -- attached afterwards, which lets inserts go on
                execute format('create table %I (like outbox_message including all excluding identity)', name);
                execute format(
                    'alter table outbox_message attach partition %I for values from (%L) to (%L)',
                    name, outbox_midnight(day), outbox_midnight(day + 1)
                );
            exception when lock_not_available or check_violation then
                fate := 'missing';
                why := 'messages of that day lie in the default partition, or are being written to it';
            end;
        end if;
        return next;
    end loop;
end;
$$;

revoke execute on function maintain_outbox, outbox_take_over, outbox_unpublished, outbox_days, outbox_midnight from public;
grant usage on schema :schema to :retention;
grant execute on function maintain_outbox to :retention;

-- What there is already, and whatever is of an earlier time, is one partition.
do $$
begin
    if exists (select from outbox_message_default) then
        perform outbox_take_over();
    elsif not exists (select from outbox_days()) then
        execute format(
            'create table outbox_message_until_%s partition of outbox_message for values from (minvalue) to (%L)',
            to_char((now() at time zone 'UTC')::date - 1, 'YYYYMMDD'),
            outbox_midnight((now() at time zone 'UTC')::date)
        );
    end if;
    perform maintain_outbox('', interval '7 days', false);
end;
$$;
