-- What the role that only looks may see: what was sent and waits, and what retention would do, but not do it.
create or replace function outbox_plan(
    publisher text, kept interval,
    out name text, out first_day date, out last_day date, out bytes bigint, out fate text, out why text
) returns setof record
language sql security definer
set search_path = :schema, pg_temp
as $$
    select name, first_day, last_day, bytes, fate, why from maintain_outbox(publisher, kept, true)
$$;
comment on function outbox_plan is 'What a round of retention would do now; nothing is done.';

revoke execute on function outbox_plan from public;
grant execute on function outbox_plan to :retention, tailrace_reader;
grant usage on schema :schema to tailrace_reader;
grant select on outbox, outbox_delayed to tailrace_reader;
