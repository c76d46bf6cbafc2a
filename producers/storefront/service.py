"""What storefront declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="storefront",
    package=__package__,
    kind="rest",
    port=18080,
    needs=("orders",),
    may_ask=("orders-grpc",),
)
