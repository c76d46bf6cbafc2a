"""What payments declares of itself as a service."""

from cdc.manifest import Service

SERVICE = Service(
    name="payments-worker",
    package=__package__,
    kind="consumer",
    port=18011,
    schema="payments",
)
