"""Which installation is meant: the one that `TAILRACE_DEPLOYMENT` names, else the local stack."""

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from infra.deployment import Deployment, DeploymentError
from infra.deployment.file import VARIABLE, read_deployment
from schemas.registry_settings import PREFIX as REGISTRY
from schemas.registry_settings import RegistrySettings

if TYPE_CHECKING:
    from infra.settings import Settings


def load_deployment() -> Deployment:
    """Return the installation that is meant.

    With `TAILRACE_REGISTRY_URL` set, everything about the registry of a local stack comes from `TAILRACE_REGISTRY_*`,
    and the log of publications is in the Kafka of `TAILRACE_KAFKA_BOOTSTRAP`; so a CI job publishes to a registry
    elsewhere.
    """
    if named := os.environ.get(VARIABLE):
        return read_deployment(named)
    from infra.settings import load_settings  # which the local stack alone needs

    local = load_settings().deployment()
    if not os.environ.get(f"{REGISTRY}URL"):
        return local
    elsewhere = RegistrySettings.from_environment()
    return replace(
        local,
        registry=elsewhere,
        registry_writer=elsewhere,
        registry_import=None,
        kafka_bootstrap=os.environ.get("TAILRACE_KAFKA_BOOTSTRAP") or local.kafka_bootstrap,
    )


def is_local() -> bool:
    """Tell whether the processes of this machine are meant, which can be looked at besides."""
    if os.environ.get(VARIABLE):
        return False
    from infra.settings import load_settings

    return not load_settings().in_containers


def local_stack() -> "Settings":
    """Return the settings of the local stack, for what can be done with no other."""
    settings = own_stack()
    if settings.in_containers:
        raise DeploymentError(
            "This is about the processes of the local stack, and this stack runs in containers (stack in "
            "tailrace.toml, or TAILRACE_STACK): look at those with `tailrace status` and `tailrace logs`."
        )
    return settings


def own_stack() -> "Settings":
    """Return the settings of the stack of this clone, of processes or of containers."""
    if named := os.environ.get(VARIABLE):
        raise DeploymentError(
            f"This is about the processes of the local stack, and {VARIABLE} or --deployment names another deployment "
            f"({named}): leave that out to work on the local stack; what runs elsewhere is started, stopped and "
            "looked at by its own means, and `tailrace doctor` says what can be seen from here."
        )
    from infra.settings import load_settings

    return load_settings()
