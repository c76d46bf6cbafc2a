"""Where everything is, as containers see it: each by its name, with its secrets in `/run/secrets`."""

from pathlib import Path

from infra.deployment import Address, Capture, Connect, Database, Deployment
from infra.services import CAPTURE, PUBLISHER, SERVICES
from schemas.registry_settings import RegistrySettings

SECRETS = Path("/run/secrets")
STATE = Path("/var/lib/tailrace")
POSTGRES_PORT, KAFKA_PORT, CONNECT_PORT, REGISTRY_PORT = 5432, 9092, 8083, 8080
CONNECT_READY, REGISTRY_READY = "/health", "/apis/ccompat/v7/config"
EVERYWHERE = "0.0.0.0"  # noqa: S104 - the address of a container, which nobody reaches but who is let in
WORKERS = "workers"
"""Name of the container with all consumers."""
PREPARING = ("database", "contracts", "connector")
"""Names of the containers that prepare something for the others, and end."""


SEEN_BY_CONNECT = ("postgres", POSTGRES_PORT)
"""Where Connect finds the database."""


def connect_seen_inside() -> Connect:
    return Connect(
        url=f"http://connect:{CONNECT_PORT}",
        password=f"${{directory:{SECRETS}:{CAPTURE}.password}}",
    )


def inside() -> Deployment:
    """Return the deployment that our containers are told of."""
    registry = RegistrySettings(url=f"http://registry:{REGISTRY_PORT}/apis/ccompat/v7")
    source = "the compose file"
    return Deployment(
        source=source,
        variables={},
        kafka_bootstrap=f"kafka:{KAFKA_PORT}",
        registry=registry,
        registry_writer=RegistrySettings(
            url=registry.url, user=PUBLISHER, password_file=SECRETS / f"{PUBLISHER}.password"
        ),
        captures=(
            Capture(
                database=Database(
                    host="postgres", port=POSTGRES_PORT, name="tailrace", passwords=SECRETS
                ),
                source=source,
            ),
        ),
        connect=connect_seen_inside(),
        services={
            service.name: Address(
                url=f"http://{WORKERS if service.is_consumer else service.name}:{service.port}",
                host=EVERYWHERE,
                port=service.port,
                metrics_port=service.metrics_port,
            )
            for service in SERVICES
        },
        outbox_days=7,
        state=STATE,
    )
