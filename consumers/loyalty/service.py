"""What the listening half of loyalty declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="loyalty-worker",
    package=__package__,
    kind="consumer",
    port=18018,
    schema="loyalty",
)
