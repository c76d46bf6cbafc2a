create table inbox (
    consumer   text not null,
    message_id uuid not null,
    primary key (consumer, message_id)
);

create table consumer_offset (
    consumer    text        not null,
    topic       text        not null,
    partition   int         not null,
    next_offset bigint      not null check (next_offset >= 0),
    applied     bigint      not null default 0 check (applied >= 0),
    duplicates  bigint      not null default 0 check (duplicates >= 0),
    updated_at  timestamptz not null default clock_timestamp(),
    primary key (consumer, topic, partition)
);
comment on column consumer_offset.duplicates is 'deliveries that were dropped because their effect existed';

grant select, insert on inbox to :role;
grant select, insert, update on consumer_offset to :role;
