"""The steps between running processes and a working pipeline: tables, topics, schemas, connector, groups, proof."""

import threading
from collections.abc import Sequence

from confluent_kafka import ConsumerGroupState, KafkaException
from confluent_kafka.admin import AdminClient

from cdc import canary, connector, migrations, topics
from infra.capture import connector_settings, require_slot
from infra.local.probe import wait_until
from infra.registry_access import publication_log, writing
from infra.services import MIGRATIONS, OWNER, PUBLICATION, WORKERS
from infra.settings import Settings
from schemas import publish, publisher

CONNECTOR_TIMEOUT_S = 60.0
GROUPS_TIMEOUT_S = 60.0
CANARY_TIMEOUT_S = 30.0

GROUPS = tuple(worker.name for worker in WORKERS)  # a worker's group has its name


def migrate(settings: Settings) -> list[str]:
    """Bring every package of migrations to its newest revision; return `schema/revision` of those applied."""
    return [
        f"{step.schema}/{revision}"
        for step in MIGRATIONS
        for revision in migrations.upgrade(
            settings.database_url(OWNER),
            schema=step.schema,
            package=step.package,
            publication=PUBLICATION if step.publishes else None,
        )
    ]


def create_topics(settings: Settings) -> list[str]:
    """Create the catalogue's missing topics and return their names."""
    return topics.ensure(settings.kafka_bootstrap)


def publish_schemas(settings: Settings) -> list[str]:
    """Publish the catalogue's schemas and return the subjects that were new to the registry."""
    published = publish.publish(writing(settings), publication_log(settings), publisher.present())
    return [entry.subject for entry in published if entry.new]


def apply_connector(settings: Settings) -> str:
    """Apply the connector and wait until its task runs; return what applying did.

    Raises:
        LostSlotError: a recovery has to come first.
        ConnectError: Connect cannot be asked, or the task does not run.
    """
    require_slot(settings)
    config = connector.render(connector_settings(settings))
    done = connector.apply(settings.connect_url, connector.NAME, config)
    connector.wait_until_running(settings.connect_url, connector.NAME, CONNECTOR_TIMEOUT_S)
    return str(done)


def wait_for_groups(
    settings: Settings, cancelled: threading.Event, groups: Sequence[str] = GROUPS
) -> str:
    """Wait until the consumer groups are stable and have a member; return how many there are."""
    admin = AdminClient({"bootstrap.servers": settings.kafka_bootstrap, "log_level": 0})
    wait_until(
        f"these workers have not joined their consumer groups: {', '.join(groups)} (see `tailrace logs {groups[0]}`)",
        lambda: not unstable_groups(admin, groups),
        timeout_s=GROUPS_TIMEOUT_S,
        interval_s=0.2,
        cancelled=cancelled,
    )
    return f"{len(groups)} stable"


def unstable_groups(admin: AdminClient, groups: Sequence[str] = GROUPS) -> dict[str, str]:
    """Return group -> state of each consumer group that is not at work."""
    pending = admin.describe_consumer_groups(list(groups), request_timeout=10)
    found: dict[str, str] = {}
    for name, future in pending.items():
        try:
            group = future.result()
        except KafkaException as error:
            found[name] = str(error)
            continue
        if group.state != ConsumerGroupState.STABLE or not group.members:
            found[name] = group.state.name.lower() if group.members else "no member"
    return found


def send_canary(settings: Settings) -> float:
    """Send a message through the whole pipeline and return its seconds from commit to consumer.

    Raises:
        ConnectError: it is the connector that publishes, and it has failed.
        CanaryError: nothing came.
    """
    try:
        return canary.probe(
            settings.database_url("canary"),
            settings.kafka_bootstrap,
            settings.registry_url,
            settings.schema_cache,
            CANARY_TIMEOUT_S,
        )
    except canary.CanaryError:
        if settings.publisher == "cdc":
            # a connector that failed on the message itself knows more than we do
            connector.wait_until_running(settings.connect_url, connector.NAME, timeout_s=0)
        raise
