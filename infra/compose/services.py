"""Our own containers: each service, all workers in one, and those that prepare the rest and end."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from cdc.manifest import Service
from infra.compose.addresses import (
    CONNECT_PORT,
    CONNECT_READY,
    KAFKA_PORT,
    POSTGRES_PORT,
    REGISTRY_PORT,
    REGISTRY_READY,
    SECRETS,
    STATE,
    WORKERS,
    inside,
)
from infra.compose.parts import HOME, STARTED, after, ours, published, variable
from infra.deployment import Deployment
from infra.processes import command_of, environment_of, shared_command, shared_environment
from infra.retention_access import looked_after
from infra.services import ACCESS, PUBLISHER, RETENTION, SERVICES
from infra.services import WORKERS as CONSUMERS
from infra.settings import load_settings

ROUND_S = 3600
READY = after("contracts")
RPC = "grpc"
ATTEMPTS, BETWEEN_ATTEMPTS_S = 3, 5
ALIVE_EVERY = "30s"
PATIENCE_S = 300
"""How long others may take to start, on a machine that is busy."""


def services() -> list[tuple[str, dict[str, Any]]]:
    """Return every service and worker that is declared, each with its name."""
    told = _told()
    called = [each for each in SERVICES if not each.is_consumer and each.kind != "relay"]
    return [*((each.name, _service(each, told)) for each in called), (WORKERS, _workers(told))]


def _service(service: Service, deployment: Deployment) -> dict[str, Any]:
    return ours(
        _in_image(command_of(service)),
        memory="320m",
        environment=environment_of(service, deployment) | {"TAILRACE_ALLOW_ANYONE": "true"},
        networks=("data", "services"),
        more={
            "secrets": list(_secrets_of(service)),
            "ports": [published(*each) for each in service.ports.items()],
            "healthcheck": _alive([service]),
            "depends_on": READY,
        },
    )


def _workers(deployment: Deployment) -> dict[str, Any]:
    environment = shared_environment(CONSUMERS, deployment)
    anyone = {f"{_prefix(each)}_ALLOW_ANYONE": "true" for each in CONSUMERS}
    return ours(
        _in_image(shared_command(CONSUMERS)),
        memory="1g",
        environment=environment | anyone,
        networks=("data", "services"),
        more={
            "secrets": list(
                dict.fromkeys(secret for each in CONSUMERS for secret in _secrets_of(each))
            ),
            "ports": [published(each.port_setting, each.port) for each in CONSUMERS],
            "healthcheck": _alive(CONSUMERS),
            "depends_on": READY,
            "stop_grace_period": "30s",
        },
    )


def retention() -> dict[str, Any]:
    deployment = inside()
    return ours(
        ("python", "-m", "cdc.retention"),
        memory="160m",
        environment={
            "TAILRACE_OUTBOX_DATABASES": looked_after(deployment, "cdc"),
            "TAILRACE_OUTBOX_DAYS": variable("outbox_days"),
            "TAILRACE_OUTBOX_ROUND_S": str(ROUND_S),
            "TAILRACE_OUTBOX_ROUND_FILE": "/tmp/retention.round",  # noqa: S108 - the container's own
        },
        more={"secrets": [f"{RETENTION}.pgpass"], "depends_on": after("database")},
    )


def preparing() -> dict[str, dict[str, Any]]:
    """Return those that bring roles, tables, topics, schemas and connector to what is declared, and end."""
    return {
        "database": _preparing(
            ["python -m infra.compose.roles", "tailrace migrate"],
            waits_for=[f"tcp://postgres:{POSTGRES_PORT}"],
            depends_on=after(postgres=STARTED),
        ),
        "contracts": _preparing(
            ["tailrace topics apply", "tailrace schema publish"],
            waits_for=[
                f"tcp://kafka:{KAFKA_PORT}",
                f"http://registry:{REGISTRY_PORT}{REGISTRY_READY}",
            ],
            depends_on=after("database", kafka=STARTED, registry=STARTED),
        ),
        "connector": _preparing(
            ["tailrace connector apply"],
            waits_for=[f"http://connect:{CONNECT_PORT}{CONNECT_READY}"],
            depends_on=after("contracts", connect=STARTED),
        ),
    }


def _preparing(
    commands: Iterable[str], *, waits_for: Iterable[str], depends_on: Mapping[str, Any]
) -> dict[str, Any]:
    """Return a container that waits by itself: asking the engine for its health often is dear.

    What it does may be done again, and is, when a server on a busy machine did not answer in time.
    """
    wait = f"python -m infra.compose.alive --within {PATIENCE_S} {' '.join(waits_for)}"
    return ours(
        ("sh", "-c", f"{wait} || exit; {_tried(' && '.join(commands))}"),
        memory="512m",
        environment=_environment(inside()),
        more={
            "restart": "no",
            # they act as the roles that may change something, and make all roles
            "volumes": [f"state:{STATE}", f"{HOME}/secrets:{SECRETS}:ro"],
            "depends_on": dict(depends_on),
        },
    )


def _tried(command: str) -> str:
    attempts = " ".join(map(str, range(1, ATTEMPTS + 1)))
    return f"for attempt in {attempts}; do {command} && exit 0; sleep {BETWEEN_ATTEMPTS_S}; done; exit 1"


def _environment(deployment: Deployment) -> dict[str, str]:
    """Return what commands in containers are told of the deployment."""
    connect, writer = deployment.require_connect(), deployment.registry_writer
    return {
        "TAILRACE_DEPLOYMENT": "environment",
        "TAILRACE_KAFKA_BOOTSTRAP": deployment.kafka_bootstrap,
        "TAILRACE_REGISTRY_URL": deployment.registry.url,
        "TAILRACE_REGISTRY_WRITER_USER": PUBLISHER,
        "TAILRACE_REGISTRY_WRITER_PASSWORD_FILE": str(writer.password_file),
        "TAILRACE_CONNECT_URL": connect.url,
        # a dollar sign of ours, and none that compose would replace
        "TAILRACE_CONNECTOR_PASSWORD": connect.password.replace("$", "$$"),
        "TAILRACE_CDC_PROFILE": variable("cdc_profile"),
        "TAILRACE_DATABASE_HOST": deployment.database.host,
        "TAILRACE_PASSWORD_FILES": str(SECRETS),
        "TAILRACE_STATE": str(STATE),
    }


def _told() -> Deployment:
    """Return the deployment with what single services are told, each as a setting that may be given to compose."""
    stated = load_settings().deployment().told
    told = {
        service.name: {name: _setting(service, name.lower()) for name in stated[service.name]}
        for service in SERVICES
    }
    return replace(inside(), told=told)


def _setting(service: Service, name: str) -> str:
    if name in service.secrets:
        return str(SECRETS / _file_of(service.secrets[name]))
    if name == "webhook_receivers":
        return "public"  # the loopback of a container is its own
    return variable(name)


def _secrets_of(service: Service) -> Iterable[str]:
    if service.role:
        yield f"{service.role}.pgpass"
    if service.asks_who_calls:
        yield f"{ACCESS}.pgpass"
    yield from map(_file_of, service.secrets.values())


def _file_of(secret: str) -> str:
    return f"{secret}.password"


def _prefix(service: Service) -> str:
    return f"TAILRACE_{service.name.upper().replace('-', '_')}"


def _in_image(command: tuple[str, ...]) -> tuple[str, ...]:
    """Return a command line with the interpreter of the image."""
    return ("python", *command[1:])


def _alive(asked: Iterable[Service]) -> dict[str, Any]:
    urls = [
        f"{each.kind}://127.0.0.1:{each.port}{'' if each.kind == RPC else each.ready_path}"
        for each in asked
    ]
    return {
        "test": ["CMD", "python", "-m", "infra.compose.alive", *urls],
        "interval": ALIVE_EVERY,
        "timeout": "10s",
        "retries": 6,
        "start_period": "60s",
    }
