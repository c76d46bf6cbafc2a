-- What the role that only looks may see: sagas, what has happened to them, and what people wanted.
grant usage on schema :schema to tailrace_reader;
grant select on saga_instance, saga_log, saga_definition, saga_action, saga_run to tailrace_reader;
