"""What fulfilment declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="fulfilment-worker",
    package=__package__,
    kind="consumer",
    port=18017,
    schema="fulfilment",
    has_sagas=True,
)
