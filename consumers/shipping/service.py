"""What shipping declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="shipping-worker",
    package=__package__,
    kind="consumer",
    port=18016,
    schema="shipping",
)
