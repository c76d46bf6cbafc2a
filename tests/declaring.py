"""Topics of a test's own, which an outbox does not know from the catalogue."""

import psycopg
from psycopg import sql

from infra.services import OWNER
from schemas.catalogue import catalogue
from tests.stack import RunningStack


def declare_topic(stack: RunningStack, topic: str, schema: str = "canary") -> None:
    """Have an outbox take messages for a topic."""
    with psycopg.connect(stack.database_url(OWNER)) as connection:
        connection.execute(
            sql.SQL("insert into {}.outbox_topic values (%s, %s) on conflict do nothing").format(
                sql.Identifier(schema)
            ),
            [topic, catalogue().message_bytes],
        )
