-- What cannot be published never commits, whoever writes it: the outbox refuses it in the writer's transaction.

-- The migration is one transaction, and what it locks it locks to the end. Rather than have every writer wait with it
-- for a long transaction, it gives up and can be run again.
set local lock_timeout = '5s';

-- A table rather than a constraint: a topic is added without a lock that writers would wait for.
create table outbox_topic (
    name      text not null primary key,
    max_bytes int  not null check (max_bytes > 0)
);
comment on table outbox_topic is
    'The topics that a message may be for, and how large it may be with its key and headers. Kept in step with '
    'schemas/catalogue.toml by `tailrace migrate`.';
grant select on outbox_topic to :role;

-- The table has so few rows that the lookup reads one page, which is always in memory.
create function outbox_admit() returns trigger language plpgsql as $$
declare
    most constant int := (select max_bytes from :schema.outbox_topic where name = new.topic);
    -- names of the headers, and the values of those that are as long in every row
    size constant bigint := 260 + octet_length(new.payload)::bigint + octet_length(new.aggregate_id)
        + octet_length(new.type) + octet_length(new.source) + octet_length(new.specversion)
        + coalesce(octet_length(new.traceparent), 0);
begin
    if most is null then
        raise exception 'no topic % is declared, and a message for it could never be published', quote_literal(left(new.topic, 100))
            using errcode = 'check_violation', constraint = 'outbox_topic_declared',
            schema = tg_table_schema, table = tg_table_name,
            detail = (select 'Declared are ' || string_agg(name, ', ' order by name) from :schema.outbox_topic),
            hint = 'Declare it in schemas/catalogue.toml, then run `tailrace migrate`.';
    end if;
    if size > most then
        raise exception 'a message of % bytes for % is larger than the limit of % bytes for key, value and headers together',
            size, left(new.topic, 100), most
            using errcode = 'check_violation', constraint = 'outbox_message_fits',
            schema = tg_table_schema, table = tg_table_name,
            hint = 'Split it, or send a reference to what is large.';
    end if;
    if new.occurred_at not between '0001-01-01 00:00:00Z' and '9999-12-31 23:59:59.999999Z' then
        raise exception 'the time % cannot be written to a header', new.occurred_at
            using errcode = 'check_violation', constraint = 'outbox_time_representable',
            schema = tg_table_schema, table = tg_table_name;
    end if;
    return new;
end;
$$;
create trigger outbox_admit before insert on outbox for each row execute function outbox_admit();

-- Versions of an aggregate follow each other without a gap. A first event, which most are, costs nothing.
create function outbox_follow() returns trigger language plpgsql as $$
begin
    if not exists (
        select from :schema.outbox
        where kind = 'event' and aggregate_type = new.aggregate_type and aggregate_id = new.aggregate_id
            and aggregate_version = new.aggregate_version - 1
    ) then
        raise exception 'version % of % % would leave a gap, as there is no version % before it',
            new.aggregate_version, new.aggregate_type, quote_literal(left(new.aggregate_id, 100)), new.aggregate_version - 1
            using errcode = 'check_violation', constraint = 'outbox_event_follows',
            schema = tg_table_schema, table = tg_table_name,
            hint = 'Load the aggregate again, and append after the version that it has.';
    end if;
    return new;
end;
$$;
create trigger outbox_follow before insert on outbox_event for each row
when (new.aggregate_version > 1) execute function outbox_follow();
