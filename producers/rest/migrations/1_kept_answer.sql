-- Answers to requests with an Idempotency-Key, each committed with what it tells of. Keys are in it as digests alone.
create table kept_answer (
    place      bytea       not null primary key,
    request    bytea       not null,
    status     smallint    not null,
    headers    jsonb       not null,
    body       bytea       not null,
    kept_until timestamptz not null,
    constraint kept_answer_digests check (octet_length(place) = 32 and octet_length(request) = 32),
    -- an error of the server decides nothing
    constraint kept_answer_status check (status between 200 and 499),
    constraint kept_answer_size check (octet_length(body) <= 4194304 and pg_column_size(headers) <= 65536)
);
comment on column kept_answer.place is 'digest of caller, method, path and key';
comment on column kept_answer.request is 'digest of what was asked: another request under the same key is refused';
-- serves the removal of what has expired
create index kept_answer_expired on kept_answer (kept_until);

grant select, insert, update on kept_answer to :role;

-- Removes answers that have expired, at most so many; returns how many. What a request has in its hands is left to the next call.
create function remove_expired_answers(at_most int) returns int
language plpgsql security definer
set search_path = :schema, pg_temp
set lock_timeout = '5s'
as $$
declare
    removed int;
begin
    delete from kept_answer where place = any(array(
        select place from kept_answer where kept_until <= clock_timestamp()
        order by kept_until limit at_most for update skip locked
    ));
    get diagnostics removed = row_count;
    return removed;
end;
$$;
revoke execute on function remove_expired_answers from public;
grant usage on schema :schema to :retention;
grant execute on function remove_expired_answers to :retention;
