"""What webhooks declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="webhooks",
    package=__package__,
    kind="rest",
    port=18021,
    schema="webhooks",
    secrets={"webhook_key_file": "webhooks-key"},
)
