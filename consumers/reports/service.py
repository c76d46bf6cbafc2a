"""What the worker of reports declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="reports-worker",
    package=__package__,
    kind="consumer",
    port=18024,
    schema="reports",
)
