"""What payments declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="payments-worker",
    package=__package__,
    kind="consumer",
    port=18011,
    schema="payments",
)
