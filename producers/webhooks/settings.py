"""What both halves of webhooks have to know: what may be called, and where the key is that seals keys."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from cdc.service import StartError
from producers.webhooks.addresses import HTTPS_PORT, Policy
from producers.webhooks.sealing import Seal


class WebhookSettings(BaseModel):
    """Settings that both halves share.

    Args:
        webhook_key_file: File with at least 32 random characters, under which the keys of endpoints are sealed;
            without it no endpoint can be registered and nothing is sent.
        webhook_receivers: `public`: https alone, and no address of a private network; `loopback`, for development: this
            machine as well.
        webhook_ports: Ports that public receivers may listen on.
    """

    webhook_key_file: Path | None = None
    webhook_receivers: Literal["public", "loopback"] = "public"
    webhook_ports: frozenset[Annotated[int, Field(ge=1, le=65535)]] = frozenset({HTTPS_PORT})

    def webhook_policy(self) -> Policy:
        return Policy(ports=self.webhook_ports, loopback=self.webhook_receivers == "loopback")

    def webhook_seal(self) -> Seal:
        """Read the key.

        Raises:
            StartError: there is none, or none that can be used.
        """
        if self.webhook_key_file is None:
            raise StartError(
                "webhooks have no key to seal secrets with; name a file with 32 random characters or more in "
                "TAILRACE_WEBHOOK_KEY_FILE"
            )
        return Seal.of_file(self.webhook_key_file)
