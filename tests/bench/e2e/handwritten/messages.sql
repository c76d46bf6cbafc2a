create table outbox (
    id      bigint generated always as identity primary key,
    topic   text not null,
    key     text not null,
    type    text not null,
    payload jsonb not null
);
create table inbox (
    consumer   text not null,
    message_id bigint not null,
    primary key (consumer, message_id)
);
