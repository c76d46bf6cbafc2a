"""Migrating the local stack, whose roles, passwords and databases are made here as well."""

from dataclasses import replace

from infra.local.provision import provision
from infra.operations import declared
from infra.operations.declared import Mended
from infra.settings import Settings


def migrate(settings: Settings) -> Mended:
    """Make what is missing, apply the migrations of every service, and bring everything back to what is declared."""
    deployment = settings.deployment()
    made = provision(deployment)
    mended = declared.migrate(deployment)
    return replace(mended, done=[*made, *mended.done])
