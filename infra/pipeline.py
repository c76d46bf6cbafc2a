"""The steps between running processes and a working pipeline: tables, topics, schemas, connector, groups, proof."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from cdc import canary, connector, migrations, topic_settings, topics
from cdc.kafka import TIMEOUT_S
from cdc.kafka_record import Place
from consumers.runtime.group import Group, read_groups
from infra.capture import apply_connector
from infra.deployment import Capture, Deployment, Shard
from infra.drift.database import mend_tables
from infra.drift.registry import restore_ids
from infra.moving.marks import note_homes, require_at_home
from infra.patience import Patience
from infra.publishing import publisher_for
from infra.services import CANARY, MIGRATIONS, OWNER, WORKERS
from infra.sharding.marks import note_shards, require_shards
from infra.sharding.settling import settle
from schemas import publish, publisher
from schemas.catalogue import catalogue
from schemas.publications import PublicationLog
from schemas.registry import SchemaStore

CANARY_TIMEOUT_S = 30.0
"""As `Patience` counts them."""
MOST_NAMED = 3

GROUPS = tuple(worker.name for worker in WORKERS)  # a worker's group has its name


def migrate(deployment: Deployment) -> list[str]:
    """Bring every schema to its newest revisions, and tables and publication back to what is declared; tell of each."""
    require_at_home(deployment)
    require_shards(deployment)
    note_homes(deployment)
    return [
        line
        for capture in deployment.captures
        for line in migrate_database(capture, deployment.state)
    ]


def migrate_database(capture: Capture, state: Path) -> list[str]:
    """Bring the schemas of one database to what is declared; tell of each thing done."""
    note_shards(capture)
    applied = [
        f"{capture.label(schema)}/{revision}"
        for schema in capture.schemas
        for revision in migrations.upgrade(
            capture.url(OWNER),
            schema=schema,
            packages=MIGRATIONS[schema],
            publications={each.publication: each.keys for each in capture.shards},
        )
    ]
    return applied + mend_tables(capture, state)


def apply_topics(deployment: Deployment, *, add_partitions: bool = False) -> list[str]:
    """Create the catalogue's missing topics, put settings back to what it declares, and return what was done."""
    bootstrap, replication = deployment.kafka_bootstrap, deployment.kafka_replication
    mended = topic_settings.mend_settings(bootstrap, replication, add_partitions=add_partitions)
    return topics.ensure(bootstrap, replication=replication) + mended


def publish_schemas(deployment: Deployment) -> list[str]:
    """Put back lost ids and publish the catalogue's schemas; return a line for each that was new to the registry."""
    restored = restore_ids(deployment)
    log = PublicationLog(deployment.kafka_bootstrap)
    published = publish.publish(deployment.registry_writer, log, publisher.present())
    store = SchemaStore(deployment.registry, deployment.schema_cache)
    for entry in published:
        # so that no process that starts has to ask, which takes a client that is slow to load
        store.keep(entry.subject, entry.schema_id)
    return restored + [entry.subject for entry in published if entry.new]


def apply_connectors(deployment: Deployment) -> list[tuple[Shard, str]]:
    """Apply the connector of each shard and wait until their tasks run; return what applying did.

    Where the number of shards was being changed, that comes to its end first.
    """
    for capture in deployment.captures:
        settle(deployment, capture)
    return [(each, apply_connector(deployment, each)) for each in deployment.shards]


def told_of_connectors(done: Sequence[tuple[Shard, str]]) -> str:
    """Return what applying did, in a line."""
    return ", ".join(shard.label(what) for shard, what in done)


def unstable_groups(admin: AdminClient, groups: Sequence[str] = GROUPS) -> dict[str, str]:
    """Return group -> what is wrong with each consumer group that does not hold all that it should."""
    try:
        known = admin.list_topics(timeout=TIMEOUT_S).topics
        found = read_groups(admin, groups)
    except KafkaException as error:
        return dict.fromkeys(groups, str(error))
    partitions = {name: len(topic.partitions) for name, topic in known.items()}
    troubles = {name: _trouble_of(name, group, partitions) for name, group in found.items()}
    return {name: trouble for name, trouble in troubles.items() if trouble}


def _trouble_of(name: str, group: Group | KafkaException, partitions: Mapping[str, int]) -> str:
    """Return what is wrong with a group, by what the catalogue says that it reads; empty when nothing is.

    Args:
        partitions: Topic -> how many it has, of all topics that there are.
    """
    if isinstance(group, KafkaException):
        return str(group)
    if not group.is_stable:
        return group.state.name.lower() if group.members else "no member"
    places = {
        Place(topic.name, partition)
        for topic in catalogue().topics.values()
        if name in topic.takers
        for partition in range(partitions.get(topic.name, 0))
    }
    unheld = sorted(places - group.held)
    listed = ", ".join(f"{place.topic}/{place.partition}" for place in unheld[:MOST_NAMED])
    more = f" and {len(unheld) - MOST_NAMED} more" if len(unheld) > MOST_NAMED else ""
    return f"nobody holds {listed}{more}" if unheld else ""


def send_canary(deployment: Deployment) -> float:
    """Send a message through the whole pipeline by each shard; return the most seconds from commit to consumer."""
    return max(send_canary_by(deployment, each) for each in deployment.shards)


def send_canary_by(deployment: Deployment, shard: Shard) -> float:
    """Send one that a shard carries."""
    try:
        return canary.probe(
            shard.capture.url(CANARY),
            deployment.kafka_bootstrap,
            deployment.registry,
            deployment.schema_cache,
            CANARY_TIMEOUT_S,
            Patience().look,
            shard.keys,
        )
    except canary.CanaryError:
        if publisher_for(shard.capture) == "cdc":
            # a connector that failed on the message itself knows more than we do
            connector.wait_until_running(deployment.connect_url, shard.connector, timeout_s=0)
        raise
