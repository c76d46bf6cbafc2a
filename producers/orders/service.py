"""What orders declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="orders",
    package=__package__,
    kind="rest",
    port=18001,
    schema="orders",
    internal=True,
    may_ask=("users-grpc",),
)
