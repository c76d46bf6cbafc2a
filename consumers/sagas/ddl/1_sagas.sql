-- Sagas that run or have run, one row each; what happened to them; what they are; what people want of them.

create table saga_instance (
    saga           text        not null,
    saga_id        text        not null check (octet_length(saga_id) <= 1000),
    version        int         not null,
    status         text        not null check (status in (
        'running', 'waiting', 'paused', 'compensating', 'compensated', 'stuck', 'completed', 'abandoned'
    )),
    reason         text        not null,
    correlation_id uuid        not null,
    state          jsonb       not null,
    steps          jsonb       not null,
    next_deadline  timestamptz,
    revision       bigint      not null,
    started_at     timestamptz not null,
    updated_at     timestamptz not null,
    constraint saga_instance_key primary key (saga_id, saga)
);
comment on column saga_instance.reason is 'why it was undone, paused or abandoned; empty when it was not';
comment on column saga_instance.updated_at is 'when it last changed: of one that has ended, when it did';
-- serves whoever takes the deadlines that have passed
create index saga_instance_due on saga_instance (next_deadline) where next_deadline is not null;
-- serves whoever asks which are not at their end, and of which versions
create index saga_instance_open on saga_instance (saga, version, status, updated_at)
    where status not in ('completed', 'compensated', 'abandoned');
-- serves whoever forgets those that ended long ago
create index saga_instance_ended on saga_instance (updated_at)
    where status in ('completed', 'compensated', 'abandoned');

-- What happened. A row is a fact: added, never changed, and forgotten with its saga.
create table saga_log (
    number     bigint      generated always as identity primary key,
    saga       text        not null,
    saga_id    text        not null,
    at         timestamptz not null,
    what       text        not null,
    step       text        not null,
    type       text        not null,
    message_id uuid,
    detail     text        not null
);
-- serves the history of one saga
create index saga_log_of_saga on saga_log (saga_id, saga, number);

-- The shapes of definitions that sagas began with.
create table saga_definition (
    saga          text        not null,
    version       int         not null,
    shape_hash    text        not null,
    shape         jsonb       not null,
    introduced_at timestamptz not null default clock_timestamp(),
    primary key (saga, version)
);

-- What people want done about a saga. Whoever wants it adds a row; a worker carries it out and writes what came of it.
create table saga_action (
    action_id    bigint      generated always as identity primary key,
    saga         text        not null,
    saga_id      text        not null,
    verb         text        not null check (verb in ('resume', 'retry', 'cancel', 'kill', 'skip')),
    step         text        not null default '',
    actor        text        not null check (actor <> ''),
    why          text        not null check (why <> ''),
    requested_at timestamptz not null default clock_timestamp(),
    done_at      timestamptz,
    outcome      text        not null default ''
);
comment on column saga_action.outcome is '''done'', or why it was not';
-- serves whoever carries them out
create index saga_action_open on saga_action (action_id) where done_at is null;
create index saga_action_of_saga on saga_action (saga_id, saga);

grant select, insert, update, delete on saga_instance to :role;
grant select, insert, delete on saga_log to :role;
grant select, insert on saga_definition, saga_action to :role;
grant update (done_at, outcome) on saga_action to :role;
