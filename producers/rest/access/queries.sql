-- Statements about API keys. They name no schema: search_path leads to it.

-- name: changed
-- What has changed since a revision, beside the present one; one row at least.
select now_at.revision, key_id, digest, owner, scopes, extract(epoch from expires_at)::float8, revoked_at is not null
from api_key_revision as now_at left join api_key on api_key.revision > %(since)s;

-- name: note_use
select note_use(%(key_ids)s);

-- name: add
with changed as (update api_key_revision set revision = revision + 1 returning revision)
insert into api_key (key_id, digest, owner, scopes, expires_at, revision)
select %(key_id)s, %(digest)s, %(owner)s, %(scopes)s, now() + %(lasts)s, revision from changed
returning expires_at;

-- name: revoke
-- One that is revoked already stays as it is.
with found as (select key_id from api_key where key_id = %(key_id)s and revoked_at is null for update),
changed as (update api_key_revision set revision = revision + 1 where exists (select from found) returning revision)
update api_key set revoked_at = now(), revision = changed.revision
from changed, found where api_key.key_id = found.key_id;

-- name: list
select key_id, owner, scopes, made_at, expires_at, revoked_at, last_used_at,
    case when revoked_at is not null then 'revoked' when expires_at <= now() then 'expired' else 'active' end as state
from api_key where (%(key_id)s::text is null or key_id = %(key_id)s)
order by owner, made_at, key_id;
