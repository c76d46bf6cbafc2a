"""What containers of the compose file have in common: limits, networks, how they are started again."""

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from infra.compose import images
from infra.compose.addresses import STATE
from infra.service_settings import as_text
from infra.services import CAPTURE, SUPERUSER
from infra.settings import HOST, SETTINGS_FILE, SettingsWithServices

FILE = Path("infra/compose/compose.yaml")
HANDED = (f"{SUPERUSER}.password", f"{CAPTURE}.password", "registry.properties")
"""What servers read that run under accounts of their own images."""
HOME = "${TAILRACE_HOME:?is not set; make up STACK=containers sets it}"
USER = "${TAILRACE_CONTAINER_USER:-10001:10001}"
LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
STARTED = "service_started"
EVERY_CONTAINER: Mapping[str, Any] = {
    "restart": "unless-stopped",
    "security_opt": ["no-new-privileges:true"],
    "pids_limit": 1024,
    "logging": LOGGING,
}


def server(
    image: str, *, memory: str, environment: Mapping[str, str], more: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a container of somebody else's image."""
    return {
        "image": image,
        "environment": dict(environment),
        **EVERY_CONTAINER,
        "mem_limit": memory,
        "networks": ["data"],
        **more,
    }


def ours(
    command: Iterable[str],
    *,
    memory: str,
    environment: Mapping[str, str],
    networks: Iterable[str] = ("data",),
    more: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a container of our image: not as root, and with a root that nobody writes to."""
    return {
        "image": images.OURS,
        "command": list(command),
        "environment": dict(environment),
        "user": USER,
        "read_only": True,
        "tmpfs": ["/tmp"],  # noqa: S108 - the container's own
        "volumes": [f"state:{STATE}"],
        "cap_drop": ["ALL"],
        "init": True,
        **EVERY_CONTAINER,
        "mem_limit": memory,
        "networks": list(networks),
        **(more or {}),
    }


def after(*done: str, **states: str) -> dict[str, Any]:
    """Return what a container waits for: that others have done their work, or are in a state."""
    conditions = dict.fromkeys(done, "service_completed_successfully") | states
    return {name: {"condition": condition} for name, condition in conditions.items()}


def published(setting: str, port: int) -> str:
    """Return how a port of a container is published: at the port of a setting, to this machine alone."""
    return f"{HOST}:{variable(setting)}:{port}"


def variable(setting: str) -> str:
    """Return a setting as the compose file takes it: from the environment, else what `tailrace.toml` says."""
    return f"${{TAILRACE_{setting.upper()}:-{_defaults()[setting]}}}"


@cache
def _defaults() -> Mapping[str, str]:
    declared = {
        name: field.default
        for name, field in SettingsWithServices.model_fields.items()
        if not field.is_required() and field.default_factory is None
    }
    stated = declared | tomllib.loads(SETTINGS_FILE.read_text())
    return {name: as_text(value) for name, value in stated.items()}
