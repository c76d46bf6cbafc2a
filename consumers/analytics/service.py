"""What analytics declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="analytics-worker",
    package=__package__,
    kind="consumer",
    port=18013,
    schema="analytics",
)
