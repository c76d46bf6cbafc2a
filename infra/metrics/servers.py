"""Postgres and Kafka as metrics, asked by their own protocols."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

from psycopg.rows import dict_row

from cdc.database import SyncConnection, connect
from cdc.kafka import TIMEOUT_S, Admin
from cdc.metrics import Labels, Metric, Values, counter, gauge, one
from cdc.sql import load_queries
from infra.deployment import Deployment
from infra.metrics.gathering import Look, Source
from infra.services import READER

QUERIES = load_queries(__package__)
LABELS = ("capture",)
SIZE_EVERY_S = 300.0
"""For the size of the database Postgres goes through thousands of files."""


def server_sources(deployment: Deployment) -> tuple[Source, ...]:
    urls = {each.name: each.url(READER) for each in deployment.captures}

    @contextmanager
    def postgres() -> Iterator[Look]:
        with ExitStack() as opened:
            connections = {
                name: opened.enter_context(
                    connect(url, {"statement_timeout": "20s"}, autocommit=True)
                )
                for name, url in urls.items()
            }
            yield lambda: list(_postgres(connections))

    @contextmanager
    def size() -> Iterator[Look]:
        yield lambda: [_size(urls)]

    @contextmanager
    def kafka() -> Iterator[Look]:
        admin = Admin(deployment.kafka_bootstrap)
        yield lambda: list(_kafka(admin))

    return (
        Source("postgres", postgres),
        Source("database size", size, SIZE_EVERY_S),
        Source("kafka", kafka),
    )


COUNTED = {
    "xact_commit": ("transactions_committed", "Transactions that were committed."),
    "xact_rollback": ("transactions_rolled_back", "Transactions that were rolled back."),
    "deadlocks": ("deadlocks", "Deadlocks that were found."),
    "blks_read": ("blocks_read", "Blocks that were read from disk, or from the system's cache."),
    "blks_hit": ("blocks_hit", "Blocks that were found in shared buffers."),
    "temp_bytes": ("temporary_bytes", "Data that did not fit into memory, written to files."),
    "wal_bytes": ("wal_bytes", "WAL that was written."),
}
"""Column -> name and meaning of what only grows."""


def _postgres(connections: Mapping[str, SyncConnection]) -> Iterator[Metric]:
    told = {name: _database(connection) for name, connection in connections.items()}

    def of_each(column: str) -> Values:
        return {(name,): float(row[column]) for name, row in told.items()}

    yield gauge(
        "tailrace_postgres_connections",
        "Connections to the server of a capture's database, of all databases there.",
        of_each("connections"),
        LABELS,
    )
    yield gauge(
        "tailrace_postgres_connections_limit",
        "Connections that there may be, max_connections.",
        of_each("connections_limit"),
        LABELS,
    )
    for column, (name, about) in COUNTED.items():
        yield counter(f"tailrace_postgres_{name}_total", about, of_each(column), LABELS)


def _database(connection: SyncConnection) -> Mapping[str, Any]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(QUERIES["database"]).fetchone() or {}


def _size(urls: Mapping[str, str]) -> Metric:
    sizes: dict[Labels, float] = {}
    for name, url in urls.items():
        with connect(url) as connection:
            [[size]] = connection.execute(QUERIES["size"]).fetchall()
            sizes[(name,)] = size
    return gauge("tailrace_postgres_database_bytes", "Size of the database.", sizes, LABELS)


def _kafka(admin: Admin) -> Iterator[Metric]:
    cluster = admin.ask(lambda client: client.list_topics(timeout=TIMEOUT_S))
    partitions = [each for topic in cluster.topics.values() for each in topic.partitions.values()]
    yield gauge("tailrace_kafka_brokers", "Brokers that run.", one(len(cluster.brokers)))
    yield gauge("tailrace_kafka_partitions", "Partitions, of all topics.", one(len(partitions)))
    yield gauge(
        "tailrace_kafka_under_replicated_partitions",
        "Partitions of which a broker lacks what it is to keep.",
        one(sum(len(each.isrs) < len(each.replicas) for each in partitions)),
    )
    yield gauge(
        "tailrace_kafka_leaderless_partitions",
        "Partitions that no broker leads: nothing can be read or written there.",
        one(sum(each.leader < 0 for each in partitions)),
    )
