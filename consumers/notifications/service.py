"""What notifications declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="notifications-worker",
    package=__package__,
    kind="consumer",
    port=18020,
    schema="notifications",
)
