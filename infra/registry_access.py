"""Which registry the commands speak to, and as whom: the local stack's, or the one that the environment names.

With `TAILRACE_REGISTRY_URL` set, everything about the registry comes from `TAILRACE_REGISTRY_*` and the log of
publications is in the Kafka of `TAILRACE_KAFKA_BOOTSTRAP`; so a CI job publishes to a registry elsewhere.
"""

import os

from infra.services import PUBLISHER
from infra.settings import Settings
from schemas.publications import PublicationLog
from schemas.registry_settings import PREFIX, RegistrySettings


def reading(settings: Settings) -> RegistrySettings:
    """Return how to read from the registry; the local one asks for no credentials."""
    if _is_elsewhere():
        return RegistrySettings.from_environment()
    return RegistrySettings(url=settings.registry_url)


def writing(settings: Settings) -> RegistrySettings:
    """Return how to write to the registry, as the one role that may."""
    if _is_elsewhere():
        return RegistrySettings.from_environment()
    return RegistrySettings(
        url=settings.registry_url,
        user=PUBLISHER,
        password_file=settings.secrets / f"{PUBLISHER}.password",
    )


def publication_log(settings: Settings) -> PublicationLog:
    """Return the log of who published what."""
    bootstrap = os.environ.get("TAILRACE_KAFKA_BOOTSTRAP") if _is_elsewhere() else None
    return PublicationLog(bootstrap or settings.kafka_bootstrap)


def _is_elsewhere() -> bool:
    return bool(os.environ.get(f"{PREFIX}URL"))
