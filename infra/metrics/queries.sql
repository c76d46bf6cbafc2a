-- Statements about the server of Postgres; any role may ask them.

-- name: database
select
    (select sum(numbackends) from pg_stat_database) as connections,
    current_setting('max_connections')::int as connections_limit,
    xact_commit, xact_rollback, deadlocks, blks_read, blks_hit, temp_bytes,
    (select wal_bytes from pg_stat_wal) as wal_bytes
from pg_stat_database
where datname = current_database();

-- name: size
select pg_database_size(current_database());
