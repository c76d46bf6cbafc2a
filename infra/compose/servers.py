"""The servers of the compose file: official images, configured through what these document."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.compose import images
from infra.compose.addresses import (
    CONNECT_PORT,
    CONNECT_READY,
    KAFKA_PORT,
    POSTGRES_PORT,
    REGISTRY_PORT,
    REGISTRY_READY,
    SECRETS,
    inside,
)
from infra.compose.parts import STARTED, after, published, server, variable
from infra.local import postgres as local_postgres
from infra.local.java import connect as local_connect
from infra.local.java import kafka as local_kafka
from infra.local.java import registry as local_registry
from infra.services import CAPTURE, SUPERUSER

POSTGRES_DATA, KAFKA_DATA = "/var/lib/postgresql", "/var/lib/kafka/data"
HOST_PORT = (
    9094  # of the broker, for clients outside: they are told another address than containers
)
OWN_OF_POSTGRES = frozenset({"listen_addresses", "port", "unix_socket_directories", "hba_file"})
NAMED_BY_DEBEZIUM = {
    "bootstrap.servers": "BOOTSTRAP_SERVERS",
    "group.id": "GROUP_ID",
    "config.storage.topic": "CONFIG_STORAGE_TOPIC",
    "offset.storage.topic": "OFFSET_STORAGE_TOPIC",
    "status.storage.topic": "STATUS_STORAGE_TOPIC",
    "key.converter": "KEY_CONVERTER",
    "value.converter": "VALUE_CONVERTER",
    "offset.flush.interval.ms": "OFFSET_FLUSH_INTERVAL_MS",
    "rest.advertised.host.name": "ADVERTISED_HOST_NAME",
    "rest.advertised.port": "ADVERTISED_PORT",
}
"""Properties of a worker of Connect that its image has variables of their own for."""
# where it listens is the image's; so is where its plugins lie, which announce themselves otherwise than ours
OWN_OF_CONNECT = frozenset({"listeners", "plugin.discovery"})


def postgres() -> dict[str, Any]:
    settings = (f"{name}={value}" for name, value in _postgres_settings().items())
    return server(
        images.POSTGRES,
        memory="1g",
        environment={
            "POSTGRES_PASSWORD_FILE": f"{SECRETS}/{SUPERUSER}.password",
            "POSTGRES_INITDB_ARGS": (
                "--auth=scram-sha-256 --encoding=UTF8 --locale=C --locale-provider=builtin --builtin-locale=C.UTF-8"
            ),
        },
        more={
            "command": ["postgres", *(word for each in settings for word in ("-c", each))],
            "secrets": [f"{SUPERUSER}.password"],
            "volumes": [f"postgres:{POSTGRES_DATA}"],
            "ports": [published("postgres_port", POSTGRES_PORT)],
            "shm_size": "256m",
            "stop_signal": "SIGINT",
            "stop_grace_period": "60s",
            # over TCP, where the server that only initialises the data does not listen
            "healthcheck": _looked_at(f"pg_isready -q -h 127.0.0.1 -U {SUPERUSER}"),
        },
    )


def _postgres_settings() -> Mapping[str, str]:
    """Return what the embedded server is set to, but for what follows from where it runs."""
    text = local_postgres.CONFIGURATION.format(
        host="*",
        port=POSTGRES_PORT,
        hba_file="",
        connections=local_postgres.CONNECTIONS["single"],
        flush=local_postgres.FLUSH,
    )
    lines = (line.split(" = ", 1) for line in text.splitlines() if " = " in line)
    return {name: value.strip("'") for name, value in lines if name not in OWN_OF_POSTGRES}


def kafka() -> dict[str, Any]:
    node = local_kafka.Node("kafka", 1, KAFKA_PORT, KAFKA_PORT + 1)
    properties = local_kafka.settings(Path(KAFKA_DATA), node=node, nodes=[node]) | {
        "controller.quorum.voters": f"1@localhost:{KAFKA_PORT + 1}",
        "inter.broker.listener.name": "INSIDE",
        "listener.security.protocol.map": "INSIDE:PLAINTEXT,OUTSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "listeners": (
            f"INSIDE://:{KAFKA_PORT},OUTSIDE://:{HOST_PORT},CONTROLLER://localhost:{KAFKA_PORT + 1}"
        ),
        "advertised.listeners": (
            f"INSIDE://kafka:{KAFKA_PORT},OUTSIDE://127.0.0.1:{variable('kafka_port')}"
        ),
    }
    return server(
        images.KAFKA,
        memory="1g",
        environment={
            **{_kafka_variable(name): _text(value) for name, value in properties.items()},
            "KAFKA_HEAP_OPTS": f"-Xmx{local_kafka.HEAP_MB}m",
            "KAFKA_OPTS": " ".join(local_kafka.COMPILER_OPTIONS),
        },
        more={
            "volumes": [f"kafka:{KAFKA_DATA}"],
            "ports": [published("kafka_port", HOST_PORT)],
            "stop_grace_period": "30s",
            "healthcheck": _looked_at(_asks(KAFKA_PORT)),
        },
    )


def _kafka_variable(name: str) -> str:
    """Return the variable by which the image takes a property of the broker."""
    return "KAFKA_" + name.replace("_", "__").replace("-", "___").replace(".", "_").upper()


def registry() -> dict[str, Any]:
    return server(
        images.REGISTRY,
        memory="640m",
        environment={
            # passwords stand in it, which an environment would show
            "QUARKUS_CONFIG_LOCATIONS": f"{SECRETS}/registry.properties",
            "JAVA_TOOL_OPTIONS": " ".join(
                (f"-Xmx{local_registry.HEAP_MB}m", *local_registry.COMPILER_OPTIONS)
            ),
        },
        more={
            "secrets": ["registry.properties"],
            "tmpfs": ["/tmp"],  # noqa: S108 - the container's own
            "ports": [published("registry_port", REGISTRY_PORT)],
            "healthcheck": _looked_at(_asks(REGISTRY_PORT, REGISTRY_READY)),
            "depends_on": after("database", postgres=STARTED),
        },
    )


def connect() -> dict[str, Any]:
    properties = {
        name: value
        for name, value in local_connect.settings(
            port=CONNECT_PORT, kafka_bootstrap=inside().kafka_bootstrap, secrets=SECRETS, replicas=1
        ).items()
        if name not in OWN_OF_CONNECT
    } | {"rest.advertised.host.name": "connect"}
    return server(
        images.CONNECT,
        memory="1g",
        environment={
            **{_connect_variable(name): _text(value) for name, value in properties.items()},
            "HEAP_OPTS": f"-Xmx{local_connect.HEAP_MB}m",
        },
        more={
            "secrets": [f"{CAPTURE}.password"],
            "ports": [published("connect_port", CONNECT_PORT)],
            "healthcheck": _looked_at(_asks(CONNECT_PORT, CONNECT_READY)),
            "depends_on": after(kafka=STARTED),
        },
    )


def _connect_variable(name: str) -> str:
    documented = NAMED_BY_DEBEZIUM.get(name)
    return documented or f"CONNECT_{name.replace('.', '_').upper()}"


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _asks(port: int, path: str = "") -> str:
    """Return a command of bash, which all of these images have, that tells whether somebody answers."""
    opened = f"exec 3<>/dev/tcp/127.0.0.1/{port}"
    if not path:
        return f"bash -c '{opened}'"
    request = f'printf "GET {path} HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n" >&3'
    return f"bash -c '{opened} && {request} && head -n 1 <&3 | grep -q \" 200 \"'"


def _looked_at(command: str) -> dict[str, Any]:
    return {
        "test": ["CMD-SHELL", command],
        "interval": "15s",
        "timeout": "10s",
        "retries": 4,
        "start_period": "120s",
    }
