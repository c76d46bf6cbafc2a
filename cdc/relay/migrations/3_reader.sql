-- What the role that only looks may see: how far relays are, and what is set aside.
grant usage on schema :schema to tailrace_reader;
grant select on progress, set_aside to tailrace_reader;
