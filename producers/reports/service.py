"""What reports declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="reports",
    package=__package__,
    kind="rest",
    port=18023,
    schema="reports",
)
