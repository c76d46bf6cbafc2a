"""What the gRPC door of orders declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="orders-grpc",
    package=__package__,
    kind="grpc",
    port=18004,
    schema="orders",
)
