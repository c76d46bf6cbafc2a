-- API keys, in one place for all services that ask for them.

-- Changes are numbered in the order in which they are committed: whoever changes a key holds this row until then.
create table api_key_revision (
    is_one   boolean not null primary key default true check (is_one),
    revision bigint  not null
);
insert into api_key_revision (revision) values (0);

create table api_key (
    key_id       text        not null primary key,
    digest       bytea       not null,
    owner        text        not null,
    scopes       text[]      not null,
    made_at      timestamptz not null default now(),
    expires_at   timestamptz,
    revoked_at   timestamptz,
    last_used_at timestamptz,
    revision     bigint      not null,
    constraint api_key_id check (key_id ~ '^[0-9A-Za-z]{12}$'),
    constraint api_key_digest check (octet_length(digest) = 32),
    constraint api_key_owner check (owner ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$'),
    constraint api_key_scopes check (cardinality(scopes) between 1 and 100 and array_position(scopes, null) is null)
);
comment on column api_key.digest is 'SHA-256 of the whole key, which is kept nowhere';
comment on column api_key.owner is 'the client: its keys share what it has sent under an Idempotency-Key, and its rate limit';
comment on column api_key.last_used_at is 'the hour in which it was last seen to be used';
comment on column api_key.revision is 'number of the last change, see api_key_revision; use is none';
-- services ask every second for what has changed
create unique index api_key_changed on api_key (revision);

grant select on api_key, api_key_revision to :role;

grant usage on schema :schema to tailrace_keys;
grant insert on api_key to tailrace_keys;
grant select (key_id, owner, scopes, made_at, expires_at, revoked_at, last_used_at, revision) on api_key to tailrace_keys;
grant update (revoked_at, revision) on api_key to tailrace_keys;
grant select, update (revision) on api_key_revision to tailrace_keys;

-- Notes that keys are used; that is all that a service may change.
create function note_use(key_ids text[]) returns void
language sql security definer
set search_path = :schema, pg_temp
as $$
    update api_key set last_used_at = date_trunc('hour', now())
    where key_id = any(key_ids) and (last_used_at is null or last_used_at < date_trunc('hour', now()));
$$;
revoke execute on function note_use from public;
grant execute on function note_use to :role;
