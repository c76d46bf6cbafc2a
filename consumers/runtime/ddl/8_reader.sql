-- What the role that only looks may see: what consumers have taken, how far they are, and what is held up.
grant usage on schema :schema to tailrace_reader;
grant select on
    inbox, inbox_window, consumer_offset, parked_sequence, parked_message, parked_action, saga_lock, saga_stash
to tailrace_reader;
