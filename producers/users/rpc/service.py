"""What the gRPC door of users declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="users-grpc",
    package=__package__,
    kind="grpc",
    port=18002,
    schema="users",
    may_ask=("loyalty",),
)
