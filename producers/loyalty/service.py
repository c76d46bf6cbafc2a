"""What loyalty declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="loyalty",
    package=__package__,
    kind="grpc",
    port=18003,
    schema="loyalty",
)
