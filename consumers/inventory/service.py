"""What inventory declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="inventory-worker",
    package=__package__,
    kind="consumer",
    port=18015,
    schema="inventory",
)
