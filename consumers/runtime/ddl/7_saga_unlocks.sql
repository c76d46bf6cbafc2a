-- Who has freed what a saga had locked, and why; nobody changes or deletes it.
create table saga_unlock (
    unlock_id   bigint      generated always as identity primary key,
    consumer    text        not null,
    lock        text        not null,
    target      text        not null,
    saga_id     text        not null,
    replies_to  text        not null,
    locked_at   timestamptz not null,
    actor       text        not null check (actor <> ''),
    why         text        not null check (why <> ''),
    unlocked_at timestamptz not null default now()
);
grant select, insert on saga_unlock to :role;
