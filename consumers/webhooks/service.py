"""What the sending half of webhooks declares of itself as a service."""

from tailrace import Service

SERVICE = Service(
    name="webhooks-worker",
    package=__package__,
    kind="consumer",
    port=18022,
    schema="webhooks",
    secrets={"webhook_key_file": "webhooks-key"},
)
