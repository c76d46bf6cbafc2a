-- The migration is one transaction, and what it locks it locks to the end. Rather than have every writer wait with it
-- for a long transaction, it gives up and can be run again.
set local lock_timeout = '5s';

-- A constant default costs nothing, whatever the size of the table: Postgres notes it once for all rows that are there.
-- Transaction 0 is before every snapshot, so those rows count as published.
alter table outbox add column transaction_id xid8 not null default '0';
alter table outbox alter column transaction_id set default pg_current_xact_id();
comment on column outbox.transaction_id is
    'the transaction that inserted the row, 0 before there was this column; by it the relay finds what a snapshot does '
    'not see';

-- For making it, the rows of before are read once, and none of them is in it.
create index outbox_transaction on outbox (transaction_id) where transaction_id > '0';
comment on index outbox_transaction is 'serves the relay: the rows of transactions that a snapshot does not see';

create function notify_relay() returns trigger language plpgsql as $$
begin
    perform pg_notify('tailrace_outbox', tg_table_schema);
    return null;
end;
$$;
create trigger outbox_notify after insert on outbox for each statement execute function notify_relay();
-- Enabled while the relay publishes: whoever uses the connector does not pay for it.
alter table outbox disable trigger outbox_notify;
