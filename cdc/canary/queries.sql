-- name: is_of_keys
-- Whether rows with this key are those of a shard.
select (hashtextextended(%(aggregate_id)s, 0) & 9223372036854775807) %% %(shards)s::bigint = %(shard)s::bigint;
