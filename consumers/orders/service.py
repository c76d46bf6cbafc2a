"""What orders declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="orders-worker",
    package=__package__,
    kind="consumer",
    port=18012,
    schema="orders",
)
