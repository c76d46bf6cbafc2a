-- Statements of the benchmark `publish`. They name no schema: search_path leads to that of the outbox that is measured.

-- name: event
insert into outbox (
    id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload, correlation_id
) values (
    %(id)s, 'event', %(topic)s, 'bench', %(id)s::uuid::text, 1, 'canary.CanaryEmitted', %(payload)b, %(id)s
);

-- name: emit
-- What some do instead of keeping an outbox: the message in the WAL alone.
select pg_logical_emit_message(true, 'bench', %(payload)b);

-- name: fill
-- Versions of a key follow each other, in transactions of their own.
do $$
declare
    run text := gen_random_uuid()::text;
begin
    for batch in 0 .. {} - 1 loop
        insert into outbox (
            id, kind, topic, aggregate_type, aggregate_id, aggregate_version, type, payload, correlation_id
        )
        select
            uuidv7(), 'event', topic, 'bench', run || '-' || number % keys, 1 + number / keys,
            'canary.CanaryEmitted', decode(repeat('00', bytes), 'hex'), uuidv7()
        from
            (select {}::bigint as size, {}::bigint as keys, {}::text as topic, {}::int as bytes) as given,
            generate_series(batch * size, (batch + 1) * size - 1) as number
        order by number;
        commit;
    end loop;
end
$$;
