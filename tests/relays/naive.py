"""The poller that everybody writes first, as it stands in blog posts: `python -m tests.relays.naive`.

It takes rows in the order of their number, several at a time, and deletes what Kafka has taken. It loses nothing, is
fast, and breaks the order of a key as soon as there are two of it, or a transaction that commits late.
"""

import os
import time

import psycopg
from psycopg import sql
from psycopg.rows import args_row

from cdc.envelope import COLUMNS, OutboxRow
from cdc.records import open_producer, record_of

TAKE = sql.SQL("select {} from outbox order by seq limit 500 for update skip locked").format(
    COLUMNS
)


def main() -> None:
    """Poll for ever."""
    producer = open_producer(os.environ["TAILRACE_KAFKA_BOOTSTRAP"])
    with psycopg.connect(os.environ["TAILRACE_DATABASE_URL"]) as connection:
        rows = connection.cursor(binary=True, row_factory=args_row(OutboxRow))
        while True:
            taken = rows.execute(TAKE).fetchall()
            for row in taken:
                record = record_of(row)
                producer.produce(
                    record.topic, record.value, record.key, headers=list(record.headers)
                )
            producer.flush()
            connection.execute("delete from outbox where id = any(%s)", [[r.id for r in taken]])
            connection.commit()
            if not taken:
                time.sleep(0.01)


if __name__ == "__main__":
    main()
