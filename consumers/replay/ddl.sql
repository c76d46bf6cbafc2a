-- What a sandbox has besides the tables of its service. `:role` stands for the service's role.

create table replay_outside (
    number  bigint      generated always as identity primary key,
    at      timestamptz not null default clock_timestamp(),
    party   text        not null,
    action  text        not null,
    key     text        not null,
    details jsonb       not null
);
comment on table replay_outside is 'what would have been done outside, noted in the transaction of the effect';

create table replay_key (
    key text primary key
);
comment on table replay_key is 'keys of the records that were handed to handlers';

grant insert on replay_outside to :role;

-- an inbox that takes ids of any age: what is old is what a replay is about
insert into inbox_window (consumer, kept) values ('replay', null);
select maintain_inbox();

-- A sandbox is worth nothing after a crash of the server, and the WAL of a replay would only hold up the connector.
do $$
declare
    name text;
begin
    loop
        -- a table that refers to others before those that it refers to
        select c.oid::regclass::text into name from pg_class as c
        where
            c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relpersistence = 'p'
            and not exists (
                select from pg_constraint as f join pg_class as r on r.oid = f.conrelid
                where f.contype = 'f' and f.confrelid = c.oid and r.oid <> c.oid and r.relpersistence = 'p'
            )
        limit 1;
        exit when name is null;
        execute format('alter table %s set unlogged', name);
    end loop;
end;
$$;
