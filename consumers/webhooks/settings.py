"""What may be set of the sending half of webhooks."""

from typing import Annotated

from pydantic import Field

from producers.webhooks.settings import OwnSettings as WebhookSettings


class OwnSettings(WebhookSettings):
    """How webhooks are sent, and what is kept of it."""

    # how long a call of a receiver may take, in seconds
    webhook_timeout_s: Annotated[float, Field(ge=1, le=30)] = 20.0
    # how long deliveries that are over are kept, with what was answered, in days
    webhook_keep_days: Annotated[int, Field(ge=1, le=365)] = 14
