-- What was redelivered to the live consumers of this schema, and on whose account. A row is a fact: nobody removes it.

create table replay_run (
    run_id     text        primary key,
    begun_at   timestamptz not null default clock_timestamp(),
    ended_at   timestamptz,
    consumer   text        not null,
    actor      text        not null check (actor <> ''),
    why        text        not null,
    forced     boolean     not null,
    selection  jsonb       not null,
    applied    bigint,
    duplicates bigint,
    parked     bigint,
    constraint replay_run_forced_for_a_reason check (why <> '' or not forced)
);
comment on column replay_run.forced is 'messages took effect although they had been taken before';

create table replay_message (
    run_id     text        not null references replay_run,
    message_id uuid        not null,
    topic      text        not null,
    at         timestamptz not null default clock_timestamp(),
    primary key (run_id, message_id)
);
comment on table replay_message is 'each message that a forced replay has handled, noted in the transaction of its effect';

grant select, insert on replay_run, replay_message to :role;
grant update (ended_at, applied, duplicates, parked) on replay_run to :role;
