"""What a relay is told, from the environment."""

from typing import Annotated

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class RelaySettings(BaseSettings):
    """Where a relay finds its database and broker, and its patience."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", extra="ignore")

    database_url: str
    # further databases whose outboxes it publishes, as libpq URLs with spaces between them
    relay_databases: str = ""
    kafka_bootstrap: str
    host: Annotated[str, Field(min_length=1)] = "127.0.0.1"
    # port of the health endpoint; 0 takes any that is free
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    # how often to look for rows of which no notification came, in seconds
    relay_poll_s: Annotated[float, Field(gt=0)] = 1.0
    # after how long the shards of a relay that stands still go to another, in seconds
    relay_takeover_s: Annotated[float, Field(ge=3)] = 15.0

    # Whoever takes over after `relay_takeover_s` must be the only one that publishes. So the time in which a relay may
    # hand something to its producer after the last sign of life, and how long that keeps it, are together shorter.

    def of_each_database(self) -> "list[RelaySettings]":
        """Return the settings of a relay for each database: it has a lease, a progress and a producer for each."""
        urls = (self.database_url, *self.relay_databases.split())
        return [
            self.model_copy(update={"database_url": url, "relay_databases": ""}) for url in urls
        ]

    @property
    def contact_s(self) -> float:
        """How long after the last answer on its lock session a relay may begin to publish something, in seconds."""
        return self.relay_takeover_s / 5

    @property
    def message_timeout_s(self) -> float:
        """After how long the producer drops what it could not send, in seconds."""
        return self.relay_takeover_s * 2 / 3

    @property
    def delivery_s(self) -> float:
        """How long a relay waits for Kafka before it gives up all that is under way, in seconds.

        Shorter than `message_timeout_s`: the producer drops records one by one as their time comes, and would send the
        second of a key after it has dropped the first.
        """
        return self.message_timeout_s * 0.6

    @property
    def sign_s(self) -> float:
        """How often a relay gives a sign of life on its lock session, in seconds."""
        return min(1.0, self.contact_s / 3)
