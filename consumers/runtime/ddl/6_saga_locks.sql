-- What sagas have locked at a participant, and the commands of others that wait for it.

-- One row a target that belongs to a saga for now.
create table saga_lock (
    consumer   text        not null,
    lock       text        not null,
    target     text        not null,
    saga_id    text        not null,
    replies_to text        not null,
    locked_at  timestamptz not null,
    held_until timestamptz not null,
    primary key (consumer, lock, target)
);
comment on column saga_lock.saga_id is 'record key of the saga''s commands';
comment on column saga_lock.replies_to is 'topic of its replies, which tells sagas of one id apart; empty where none are wanted';
-- serves the message that frees what its saga holds
create index saga_lock_of_saga on saga_lock (consumer, saga_id);

-- Commands in the order in which they came, each as it was delivered.
create table saga_stash (
    stash_id      bigint      generated always as identity primary key,
    consumer      text        not null,
    lock          text        not null,
    target        text        not null,
    saga_id       text        not null,
    replies_to    text        not null,
    topic         text        not null,
    partition     int         not null,
    "offset"      bigint      not null,
    recorded_at   timestamptz not null,
    key           bytea,
    message_id    uuid        not null,
    type          text        not null,
    header_names  text[]      not null,
    header_values bytea[]     not null check (cardinality(header_values) = cardinality(header_names)),
    value         bytea,
    expires_at    timestamptz,
    stashed_at    timestamptz not null
);
-- serves whoever asks for who waits for a target, and who was first
create index saga_stash_of_target on saga_stash (consumer, lock, target, stash_id);
-- serves whoever asks for what of a saga waits
create index saga_stash_of_saga on saga_stash (consumer, saga_id, stash_id);

grant select, insert, update, delete on saga_lock to :role;
grant select, insert, update, delete on saga_stash to :role;
