-- Every time that an envelope has is bounded, and those by which it is kept back and followed: one that no header and no
-- program can hold would keep whoever publishes from reading what came with it.

create or replace function outbox_admit() returns trigger language plpgsql as $$
declare
    most constant int := (select max_bytes from :schema.outbox_topic where name = new.topic);
    -- names of the headers, and the values of those that are as long in every row
    size constant bigint := 260 + octet_length(new.payload)::bigint + octet_length(new.aggregate_id)
        + octet_length(new.type) + octet_length(new.source) + octet_length(new.specversion)
        + coalesce(octet_length(new.traceparent), 0);
    earliest constant timestamptz := '0001-01-01 00:00:00Z';
    latest constant timestamptz := '9999-12-31 23:59:59.999999Z';
    beyond constant timestamptz := case
        when new.occurred_at not between earliest and latest then new.occurred_at
        when new.expires_at not between earliest and latest then new.expires_at
        when new.began_at not between earliest and latest then new.began_at
    end;
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
    if beyond is not null then
        raise exception 'the time % cannot be written to a header', beyond
            using errcode = 'check_violation', constraint = 'outbox_time_representable',
            schema = tg_table_schema, table = tg_table_name;
    end if;
    return new;
end;
$$;

-- Once it is due it would be refused for ever; whoever writes it is there to be told.
create or replace function outbox_delay_admit() returns trigger language plpgsql as $$
declare
    earliest constant timestamptz := '0001-01-01 00:00:00Z';
    latest constant timestamptz := '9999-12-31 23:59:59.999999Z';
    beyond constant timestamptz := case
        when new.not_before not between earliest and latest then new.not_before
        when new.due_at not between earliest and latest then new.due_at
        when new.expires_at not between earliest and latest then new.expires_at
    end;
begin
    if beyond is not null then
        raise exception 'the time % cannot be written to a header', beyond
            using errcode = 'check_violation', constraint = 'outbox_time_representable',
            schema = tg_table_schema, table = tg_table_name;
    end if;
    return new;
end;
$$;
create trigger outbox_delay_admit before insert on outbox_delayed for each row execute function outbox_delay_admit();
