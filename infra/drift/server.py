"""Settings of the server on which the outbox rests: that what is committed survives, and is kept for its publisher."""

from cdc.database import SyncConnection
from infra.drift.difference import MIGRATE, Difference

DECLARED = {
    "wal_level": "logical",
    "fsync": "on",
    "full_page_writes": "on",
    "max_slot_wal_keep_size": "4GB",
    "idle_replication_slot_timeout": "0",
}
SETTINGS = """
select name, current_setting(name), context = 'postmaster' from pg_settings where name = any(%s) order by name
"""


def server_differences(connection: SyncConnection) -> list[Difference]:
    """Return which settings of the server are others than in the configuration that it is given."""
    rows = connection.execute(SETTINGS, [list(DECLARED)])
    return [
        Difference(
            thing=f"setting {name} of Postgres",
            declared=DECLARED[name],
            actual=value,
            remedy=MIGRATE + (", `make down` and `make up`" if at_start else ""),
            statements=(f"alter system reset {name}",),
        )
        for name, value, at_start in rows
        if value != DECLARED[name]
    ]
