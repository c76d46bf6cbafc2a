"""What users declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="users",
    package=__package__,
    kind="rest",
    port=18019,
    schema="users",
)
