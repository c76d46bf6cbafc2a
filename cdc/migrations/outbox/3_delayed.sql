-- Messages that are kept back until their time. What a message says of itself has the columns that it has in the outbox.
create table outbox_delayed (
    id             uuid        not null primary key,
    number         bigint      generated always as identity,
    not_before     timestamptz not null,
    due_at         timestamptz not null,
    attempts       int         not null default 0,
    error          text        not null default '',
    topic          text        not null,
    aggregate_type text        not null,
    aggregate_id   text        not null,
    type           text        not null,
    payload        bytea       not null,
    correlation_id uuid        not null
);
comment on column outbox_delayed.due_at is 'when it is published: not_before, and later once the outbox has refused it';
-- serves whoever publishes what is due
create index outbox_delayed_due on outbox_delayed (due_at, number);

grant select, insert, delete on outbox_delayed to :role;
grant update (due_at, attempts, error) on outbox_delayed to :role;
