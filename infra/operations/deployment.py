"""A deployment itself: what it says, and what a service of it is to be told."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.deployment import Capture, Deployment
from infra.errors import RequestError
from infra.processes import environment_of
from infra.services import SERVICES
from producers.discovery import service_url
from producers.discovery.instances import Instance

LOOKUP_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """Where everything is; credentials are named by their files."""

    source: str | None
    kafka: str
    registry: str
    connect: str | None
    database: str
    databases: Mapping[
        str, str
    ]  # capture -> its database and the contexts in it, where it has one of its own
    password_files: Path
    services: Mapping[str, str | None]
    state: Path


def describe(deployment: Deployment) -> Described:
    """Return what a deployment says; nothing is asked of its servers."""
    return Described(
        source=deployment.source,
        kafka=deployment.kafka_bootstrap,
        registry=deployment.registry.url,
        connect=deployment.connect.url if deployment.connect else None,
        database=_place(deployment.main),
        databases={
            each.name: f"{_place(each)} for {', '.join(each.contexts)}"
            for each in deployment.captures[1:]
        },
        password_files=deployment.database.passwords,
        services={each.name: deployment.address_of(each.name).url for each in SERVICES},
        state=deployment.state,
    )


def _place(capture: Capture) -> str:
    database = capture.database
    return f"{database.host}:{database.port}/{database.name}"


def environment(deployment: Deployment, service: str) -> Mapping[str, str]:
    """Return the variables that a service is to be started with, by whatever starts it."""
    found = {each.name: each for each in SERVICES}
    if service not in found:
        raise RequestError(f"No service is called {service}; there are {', '.join(found)}.")
    return environment_of(found[service], deployment)


def instances(deployment: Deployment, where: str) -> Sequence[Instance]:
    """Return the instances that there are now.

    Args:
        where: A service, or a URL such as services are told of each other.
    """
    url = deployment.url_of(where) if where in {each.name for each in SERVICES} else where
    return sorted(asyncio.run(service_url.look_up(service_url.read(url), timeout_s=LOOKUP_S)))


def require_place(text: str) -> None:
    """Refuse what is no service and no URL of one.

    Raises:
        ValueError: it is neither; says why.
    """
    if text in {each.name for each in SERVICES}:
        return
    try:
        service_url.read(text)
    except ValueError as error:
        raise ValueError(f"it is no service of ours, and a URL {error}") from None
