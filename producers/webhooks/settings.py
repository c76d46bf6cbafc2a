"""What may be set of both halves of webhooks."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from producers.webhooks.addresses import HTTPS_PORT


class OwnSettings(BaseModel):
    """What may be called, and where the key is that seals keys.

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
