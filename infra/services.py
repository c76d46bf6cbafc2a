"""Tailrace's own processes and database schemas: who runs what, as which role, with which migrations."""

from dataclasses import dataclass

from cdc import retention
from infra.interpreter import module_command
from infra.settings import HOST, Publisher, Settings

PUBLICATION = "tailrace_outbox"
OWNER = "tailrace_owner"
CAPTURE = "tailrace_capture"
RELAY = "tailrace_relay"
REGISTRY = "registry"
RETENTION = retention.ROLE
REPLAYS = "consumers.replay.migrations"  # the record of replays, of each service that consumes
REGISTRY_ADMIN = "registry-admin"  # the role that puts lost ids back into the schema registry
PUBLISHER = "publisher"  # of the schema registry: the one role that may write there


@dataclass(frozen=True, slots=True)
class Migrations:
    """One package of Alembic migrations and the schema it works on.

    Args:
        schema: database schema, and at the same time the role of the service that owns it.
        package: dotted name of the package with the revisions.
        publishes: its tables are captured, i.e. belong in the publication.
    """

    schema: str
    package: str
    publishes: bool


@dataclass(frozen=True, slots=True)
class Service:
    """One Python process of ours.

    Args:
        name: name of the part; of a worker also its consumer group.
        module: run with `python -m`.
        role: database role (and schema) it works with, None without a database.
        port_setting: field of `Settings` with its HTTP port; of a worker, that of its health endpoints.
        is_worker: it is a Kafka consumer.
        publisher: it runs only in a stack with this publisher; None is any.
    """

    name: str
    module: str
    port_setting: str
    role: str | None = None
    is_worker: bool = False
    publisher: Publisher | None = None

    @property
    def ready_path(self) -> str:
        """Path that answers 200 when it does its work."""
        return "/ready" if self.is_worker else "/health"

    def port(self, settings: Settings) -> int:
        """The port it listens on."""
        port: int = getattr(settings, self.port_setting)
        return port

    def argv(self) -> tuple[str, ...]:
        """Command line, with the interpreter that runs us."""
        return module_command(self.module)

    def environment(self, settings: Settings) -> dict[str, str]:
        """Everything the service is told; it reads no file of ours."""
        variables = {
            "TAILRACE_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "TAILRACE_REGISTRY_URL": settings.registry_url,
            "TAILRACE_SCHEMA_CACHE": str(settings.schema_cache),
        }
        if self.role:
            variables["TAILRACE_DATABASE_URL"] = settings.database_url(self.role)
        variables |= {"TAILRACE_HOST": HOST, "TAILRACE_PORT": str(self.port(settings))}
        if self.name == "storefront":
            variables["TAILRACE_ORDERS_URL"] = settings.orders_url
        return variables


def _worker(context: str) -> Service:
    return Service(
        f"{context}-worker",
        f"consumers.{context}",
        role=context,
        port_setting=f"{context}_worker_port",
        is_worker=True,
    )


MIGRATIONS = (
    Migrations(RELAY, "cdc.relay.migrations", publishes=False),
    Migrations("orders", "producers.orders.migrations", publishes=True),
    Migrations("orders", "consumers.orders.migrations", publishes=False),
    Migrations("payments", "consumers.payments.migrations", publishes=True),
    Migrations("analytics", "consumers.analytics.migrations", publishes=True),
    *(
        Migrations(schema, REPLAYS, publishes=False)
        for schema in ("orders", "payments", "analytics")
    ),
    Migrations("canary", "cdc.canary.migrations", publishes=True),
)

SCHEMAS = tuple(dict.fromkeys(migrations.schema for migrations in MIGRATIONS))

OUTBOXES = tuple(migrations.schema for migrations in MIGRATIONS if migrations.publishes)

SERVICES = (
    Service("relay", "cdc.relay", "relay_port", role=RELAY, publisher="relay"),
    Service("orders", "producers.orders", "orders_port", role="orders"),
    Service("storefront", "producers.storefront", "storefront_port"),
    _worker("payments"),
    _worker("orders"),
    _worker("analytics"),
)

WORKERS = tuple(service for service in SERVICES if service.is_worker)
