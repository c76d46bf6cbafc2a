"""Building blocks for migrations: the tables that a consumer's runtime keeps in its service's schema."""

from cdc.migrations import operations
from consumers.runtime import ddl

FIRST = "1_inbox.sql"
PARTITIONED = "2_partitioned_inbox.sql"
PARKING = "3_parking.sql"


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
