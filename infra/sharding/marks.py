"""By how many connectors a database is captured, as a mark in it tells: settings alone could be wrong about it.

Were the keys dealt out otherwise while messages are under way, the newer ones of a key could overtake the older.
"""

import re
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from cdc.database import SyncConnection, connect, is_missing
from infra.deployment import Capture, Deployment
from infra.errors import TailraceError
from infra.services import CANARY, OWNER

FORM = re.compile(r"shards: (?P<count>\d+)(, were (?P<were>\d+))?( until (?P<until>[0-9A-F/]+))?")
MARK = """
select coalesce(obj_description(oid, 'pg_namespace'), ''),
    exists (select from pg_class where relnamespace = pg_namespace.oid and relname = 'outbox')
from pg_namespace where nspname = %s
"""
"""Each database has canaries; a schema of them without tables was made for what is to come."""


class ShardsError(TailraceError):
    """A database is captured by another number of connectors than it should be."""


@dataclass(frozen=True, slots=True)
class Dealt:
    """How the keys of a database are dealt out.

    Args:
        count: By how many connectors it is captured.
        were: How many there were, while that is being changed.
        until: Place in the WAL of before the change, until somebody has seen that all from before it is in Kafka.
    """

    count: int = 1
    were: int | None = None
    until: str | None = None

    def __str__(self) -> str:
        were = f", were {self.were}" if self.were else ""
        return f"shards: {self.count}{were}" + (f" until {self.until}" if self.until else "")

    @property
    def is_settled(self) -> bool:
        return self.were is None

    def before(self, capture: Capture) -> Capture:
        """Return a capture as it was before the change."""
        return replace(capture, shard_count=self.were or self.count)

    @classmethod
    def read(cls, text: str) -> "Dealt":
        found = FORM.fullmatch(text)
        if found is None:
            return cls()
        were = found["were"]
        return cls(int(found["count"]), int(were) if were else None, found["until"])


def dealt(capture: Capture, role: str = OWNER) -> Dealt | None:
    """Return how the keys of a database are dealt out; None when it has no outboxes yet.

    Args:
        role: As whom to look.
    """
    try:
        with connect(capture.url(role), autocommit=True) as connection:
            found = connection.execute(MARK, [CANARY]).fetchone()
    except psycopg.OperationalError as error:
        if is_missing(error, capture.database.name, capture.url(role, "postgres")):
            return None
        raise
    if found is None or found == ("", False):
        return None
    return Dealt.read(found[0])


def require_shards(deployment: Deployment, role: str = OWNER) -> None:
    """Refuse to work on databases that are captured by another number of connectors than the settings say."""
    for capture in deployment.captures:
        found = dealt(capture, role)
        if found and found.count != capture.shard_count:
            raise ShardsError(
                f"The database {capture.database.name} is captured by {_told(found.count)}, and the settings say "
                f"{_told(capture.shard_count)}: with everything running, `tailrace connector reshard` changes that; "
                "put shards back (TAILRACE_SHARDS, or the line in the file) to go on as before."
            )


def _told(count: int) -> str:
    return "one connector" if count == 1 else f"{count} connectors"


def note_shards(capture: Capture) -> None:
    """Leave a mark in a database that is begun with several; one without a mark has one."""
    if capture.shard_count > 1 and dealt(capture) is None:
        with connect(capture.url(OWNER)) as connection:
            mark(connection, Dealt(capture.shard_count))


def mark(connection: SyncConnection, found: Dealt) -> None:
    text = None if found == Dealt() else str(found)
    connection.execute(
        sql.SQL("comment on schema {} is {}").format(sql.Identifier(CANARY), sql.Literal(text))
    )
