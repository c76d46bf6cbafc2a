"""How a service is run: its command line, and everything that it is told."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic_settings import BaseSettings, EnvSettingsSource

from cdc.manifest import Service
from cdc.service import own_variable
from infra.deployment import Deployment
from infra.interpreter import module_command
from infra.services import ACCESS, RELAY

RUNNERS = {"rest": "producers.rest", "grpc": "producers.grpc", "consumer": "consumers.runtime"}
"""Modules that run a service of a kind, by the name of its folder."""

PREFIX = "TAILRACE_"

S = TypeVar("S", bound=BaseSettings)


def command_of(service: Service) -> tuple[str, ...]:
    """Return the command line, with the interpreter that runs us."""
    runner = RUNNERS.get(service.kind)
    if runner is None:
        return module_command(service.package)
    return module_command(runner, service.folder)


def shared_command(consumers: Sequence[Service]) -> tuple[str, ...]:
    folders = (consumer.folder for consumer in consumers)
    return module_command(RUNNERS["consumer"], *folders)


def shared_environment(consumers: Sequence[Service], deployment: Deployment) -> dict[str, str]:
    """Return everything that the consumers of one process are told, each in variables of its own."""
    return {
        own_variable(consumer.name, variable.removeprefix(PREFIX)): value
        for consumer in consumers
        for variable, value in environment_of(consumer, deployment).items()
    }


def environment_of(service: Service, deployment: Deployment) -> dict[str, str]:
    """Return everything the service is told, whoever starts it; it reads no file of ours, and holds no secret."""
    address = deployment.address_of(service.name)
    variables = {
        f"{PREFIX}KAFKA_BOOTSTRAP": deployment.kafka_bootstrap,
        **deployment.registry.environment(),
        f"{PREFIX}SCHEMA_CACHE": str(deployment.schema_cache),
        f"{PREFIX}HOST": address.host,
        f"{PREFIX}PORT": str(address.port),
    }
    if address.metrics_port:
        variables[f"{PREFIX}METRICS_PORT"] = str(address.metrics_port)
    if service.role:
        variables[f"{PREFIX}DATABASE_URL"] = deployment.capture_of(service.role).database.url(
            service.role
        )
    if service.kind == "relay" and (others := deployment.captures[1:]):
        urls = (each.database.url(RELAY) for each in others)
        variables[f"{PREFIX}RELAY_DATABASES"] = " ".join(urls)
    if service.asks_who_calls:
        variables[f"{PREFIX}KEYS_DATABASE_URL"] = deployment.database.url(ACCESS)
    known = (name for name in service.may_ask if deployment.address_of(name).url)
    for name in (*service.needs, *known):
        variables[f"{PREFIX}{name.upper().replace('-', '_')}_URL"] = deployment.url_of(name)
    told = {**deployment.told_all, **deployment.told.get(service.name, {})}
    return variables | {f"{PREFIX}{name}": value for name, value in told.items()}


def settings_of(service: Service, kind: type[S], deployment: Deployment, **others: Any) -> S:
    """Return the settings that a service has when it is run here.

    Args:
        others: What is to be otherwise.
    """
    told = EnvSettingsSource(kind, env_prefix=PREFIX)
    told.env_vars = {
        name.lower(): value for name, value in environment_of(service, deployment).items()
    }
    known = {name: value for name, value in others.items() if name in kind.model_fields}
    return kind(**told() | known)
