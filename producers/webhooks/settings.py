"""What both halves of webhooks have to know: what may be called, and where the key is that seals keys."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from producers.webhooks.addresses import HTTPS_PORT, Policy


class WebhookSettings(BaseModel):
    """Settings that both halves share.

    Args:
        webhook_key_file: File with at least 32 random characters, under which the keys of endpoints are sealed.
        webhook_receivers: `public`: https alone, and no address of a private network; `loopback`, for development: this
            machine as well.
        webhook_ports: Ports that public receivers may listen on.
    """

    webhook_key_file: Path
    webhook_receivers: Literal["public", "loopback"] = "public"
    webhook_ports: frozenset[Annotated[int, Field(ge=1, le=65535)]] = frozenset({HTTPS_PORT})

    def webhook_policy(self) -> Policy:
        return Policy(ports=self.webhook_ports, loopback=self.webhook_receivers == "loopback")
