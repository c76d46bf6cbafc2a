"""Building blocks for migrations: the tables that a consumer's runtime keeps in its service's schema."""

from cdc.migrations import operations
from consumers.runtime import ddl

FIRST = "1_inbox.sql"
PARTITIONED = "2_partitioned_inbox.sql"
PARKING = "3_parking.sql"
LONG_KEYS = "4_long_keys.sql"
TOPIC_IDS = "5_topic_ids.sql"


def create_inbox(*, role: str) -> None:
    """Create the inbox and the offsets of a service's consumers.

    Args:
        role: Database role of the service.
    """
    operations.execute_file(ddl, FIRST, role=role)


def drop_inbox() -> None:
    """Drop the inbox and the offsets."""
    operations.execute("drop table inbox, consumer_offset")


def partition_inbox(*, role: str) -> None:
    """Partition the inbox by the days on which messages were made, so that old days are dropped whole.

    What the inbox holds is kept.

    Args:
        role: Database role of the service.
    """
    operations.execute_file(ddl, PARTITIONED, role=role)


def unpartition_inbox() -> None:
    """Put the inbox back into one table."""
    operations.execute(
        "create table inbox_whole (like inbox);"
        "insert into inbox_whole select * from inbox;"
        "drop table inbox, inbox_window;"
        "drop function maintain_inbox(), inbox_id_at(timestamptz);"
        "alter table inbox_whole rename to inbox;"
        "alter table inbox add primary key (consumer, message_id)"
    )


def create_parking(*, role: str) -> None:
    """Create what parked messages, and what was done about them, are kept in.

    Args:
        role: Database role of the service.
    """
    operations.execute_file(ddl, PARKING, role=role)


def drop_parking() -> None:
    """Drop the parked messages and the record of what was done about them."""
    operations.execute("drop table parked_message, parked_sequence, parked_action")


def allow_long_keys() -> None:
    """Let messages be parked whatever the length of their key."""
    operations.execute_file(ddl, LONG_KEYS, role=operations.current_schema())


def allow_short_keys_only() -> None:
    """Go back to an index of the keys themselves; fails while a long one is parked."""
    operations.execute(
        "drop index parked_sequence_key;"
        "alter table parked_sequence add constraint parked_sequence_key unique (consumer, topic, key)"
    )


def keep_topic_ids(*, role: str) -> None:
    """Keep with each position which topic it is in, and what became of records that were never read.

    Args:
        role: Database role of the service.
    """
    operations.execute_file(ddl, TOPIC_IDS, role=role)


def forget_topic_ids() -> None:
    """Keep positions by the names of topics alone."""
    operations.execute(
        "alter table consumer_offset drop topic_id, drop lost, drop reset_at, drop reset_reason"
    )
