"""Building blocks for migrations: the outbox tables of a service."""

import re
from importlib import resources
from types import ModuleType
from typing import Any, cast

import psycopg
from alembic import op
from psycopg import sql
from psycopg.abc import QueryNoTemplate

from cdc import retention
from cdc.bounds import ddl as bounds_ddl
from cdc.retention import ddl as retention_ddl

CREATE_OUTBOX = """
create table outbox (
    id                uuid        not null,
    kind              text        not null,
    seq               bigint      generated always as identity,
    topic             text        not null,
    source            text        not null default {service},
    specversion       text        not null default '1.0',
    aggregate_type    text        not null,
    aggregate_id      text        not null,
    aggregate_version bigint,
    type              text        not null,
    payload           bytea       not null,
    correlation_id    uuid        not null,
    causation_id      uuid,
    traceparent       text,
    occurred_at       timestamptz not null default clock_timestamp()
) partition by list (kind);

-- The event log: kept for good. The version constraint is the optimistic lock of every aggregate.
create table outbox_event partition of outbox (
    constraint outbox_event_id primary key (id),
    constraint outbox_event_version unique (aggregate_type, aggregate_id, aggregate_version),
    constraint outbox_event_has_version check (aggregate_version >= 1 and aggregate_version is not null)
) for values in ('event');

-- Commands, replies and signs of life: worthless once delivered, so days of them can be dropped whole (cdc/retention).
create table outbox_message partition of outbox (
    constraint outbox_message_has_no_version check (aggregate_version is null)
) for values in ('message') partition by range (occurred_at);
create table outbox_message_default partition of outbox_message default;

-- A message is a fact: the service adds and reads, nobody changes or removes.
grant select, insert on outbox to {role};

comment on column outbox.specversion is
    'version of CloudEvents; a column because Connect can add no header whose text looks like a number';
"""


ADD_RELAY_SUPPORT = """
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
"""

DROP_RELAY_SUPPORT = """
drop trigger outbox_notify on outbox;
drop function notify_relay();
alter table outbox drop column transaction_id;
"""


def create_outbox(*, service: str, role: str) -> None:
    """Create the outbox of a service and have it captured.

    Args:
        service: Name that the service's messages carry as their `ce_source`.
        role: Database role of the service; it may add and read messages, never change or remove one.
    """
    execute(
        sql.SQL(CREATE_OUTBOX).format(service=sql.Literal(f"/{service}"), role=sql.Identifier(role))
    )
    publication = _attribute("publication")
    if publication is not None:
        _publish(publication)


def drop_outbox() -> None:
    """Drop the outbox with all its messages; the publication forgets it by itself."""
    execute("drop table outbox")


def add_relay_support() -> None:
    """Let the relay find what is new in the outbox, and let it be woken when something is."""
    execute(sql.SQL(ADD_RELAY_SUPPORT))


def drop_relay_support() -> None:
    """Take back what `add_relay_support` has added."""
    execute(sql.SQL(DROP_RELAY_SUPPORT))


def keep_messages_by_days(*, role: str) -> None:
    """Split the outbox's messages by day, so that old days are dropped whole; what there is stays where it lies.

    Args:
        role: Database role of the service.
    """
    execute_file(retention_ddl, "1_days.sql", role=role)


def stop_keeping_messages_by_days(*, role: str) -> None:
    """Have nobody look after the days any more; those that there are stay, and the default partition takes the rest.

    Args:
        role: Database role of the service.
    """
    execute(
        sql.SQL(
            "drop function maintain_outbox(text, interval, boolean), outbox_take_over(),"
            " outbox_unpublished(text, pg_lsn, xid8), outbox_days(), outbox_midnight(date);"
            "drop table outbox_day_end, outbox_hold;"
            "grant insert on outbox to {}"
        ).format(sql.Identifier(role))
    )


def refuse_what_cannot_be_published(*, role: str) -> None:
    """Have the outbox refuse undeclared topics, messages that are too large, and gaps; rows that it has may stay.

    Args:
        role: Database role of the service.
    """
    execute_file(bounds_ddl, "1_outbox.sql", role=role)


def admit_everything() -> None:
    """Take back what `refuse_what_cannot_be_published` has added."""
    execute(
        "drop trigger outbox_follow on outbox_event; drop trigger outbox_admit on outbox;"
        "drop function outbox_follow(), outbox_admit(); drop table outbox_topic"
    )


def execute(statement: QueryNoTemplate) -> None:
    """Run SQL composed with psycopg in the migration's transaction.

    Args:
        statement: One or more statements without parameters.
    """
    _connection().execute(statement)


def execute_file(package: ModuleType, file: str, *, role: str) -> None:
    """Run a file of SQL in the migration's transaction.

    Args:
        package: Package that holds the file.
        file: File name. In it `:role` stands for the role, `:retention` for the role that drops old messages, and
            `:schema` for the schema in which the migration works.
        role: Database role of the service.
    """
    text = resources.files(package).joinpath(file).read_text()
    names = {
        ":role": sql.Identifier(role),
        ":retention": sql.Identifier(retention.ROLE),
        ":schema": sql.Identifier(current_schema()),
    }
    parts = re.split(r"(?<!:)(:role|:retention|:schema)\b", text)
    execute(sql.Composed([names.get(part) or sql.SQL(cast(Any, part)) for part in parts]))


def current_schema() -> str:
    """Return the schema in which the migration works; a service's own has the name of its role."""
    [schema] = _connection().execute("select current_schema()").fetchone() or [None]
    return str(schema)


def _connection() -> psycopg.Connection[Any]:
    return cast(psycopg.Connection[Any], op.get_bind().connection.driver_connection)


def _attribute(name: str) -> str | None:
    config = op.get_context().config
    value: str | None = None if config is None else config.attributes[name]
    return value


def _publish(publication: str) -> None:
    """Add the outbox to the publication, as one table whatever its partitions, so that each row is sent once."""
    exists = _connection().execute("select 1 from pg_publication where pubname = %s", [publication])
    statement = (
        "alter publication {} add table outbox"
        if exists.fetchone()
        else "create publication {} for table outbox "
        "with (publish = 'insert', publish_via_partition_root)"
    )
    execute(sql.SQL(statement).format(sql.Identifier(publication)))
