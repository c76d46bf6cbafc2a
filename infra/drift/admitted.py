"""The topics that each outbox admits, held against the catalogue."""

from collections.abc import Iterator, Sequence

from psycopg import sql

from cdc.bounds import admitted
from cdc.database import SyncConnection
from infra.drift.difference import MIGRATE, Difference


def admitted_differences(
    connection: SyncConnection, schemas: Sequence[str]
) -> Iterator[Difference]:
    """Yield the topics that an outbox refuses though declared, admits though not, or limits otherwise."""
    declared = admitted()
    for schema in schemas:
        table = sql.SQL("{}.outbox_topic").format(sql.Identifier(schema))
        name = table.as_string(connection)
        [[exists]] = connection.execute("select to_regclass(%s)", [name]).fetchall()
        if not exists:
            continue  # which is a difference of its own
        actual = dict(
            connection.execute(sql.SQL("select name, max_bytes from {}").format(table)).fetchall()
        )
        for topic in sorted(declared.keys() | actual.keys()):
            if declared.get(topic) != actual.get(topic):
                yield Difference(
                    thing=f"{schema}.outbox_topic: {topic}",
                    declared=_told(declared.get(topic)),
                    actual=_told(actual.get(topic)),
                    remedy=MIGRATE,
                )


def _told(most: int | None) -> str:
    return "refused" if most is None else f"up to {most:,} bytes"
