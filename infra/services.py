"""Tailrace's own services, found in their folders, and what follows from them: roles, schemas, migrations, outboxes."""

import pkgutil
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from cdc import retention
from cdc.manifest import (
    ACCESS_TABLES,
    CONSUMER_TABLES,
    OUTBOX_TABLES,
    REST_TABLES,
    SAGA_TABLES,
    Service,
)

FOLDERS = ("producers", "consumers")

PUBLICATION = "tailrace_outbox"
OWNER = "tailrace_owner"
SUPERUSER = "postgres"
CAPTURE = "tailrace_capture"
RELAY = "tailrace_relay"
ACCESS = "tailrace_access"  # the schema of API keys, and the role of services that look them up
KEYS = "tailrace_keys"  # the role that makes and revokes them
READER = "tailrace_reader"  # the role that sees how the pipeline is, and may change nothing
STANDBY = (
    "tailrace_standby"  # the role of a standby, also its physical slot and the name it is known by
)
CANARY = "canary"
REGISTRY = "registry"
RETENTION = retention.ROLE
REGISTRY_ADMIN = "registry-admin"  # the role that puts lost ids back into the schema registry
PUBLISHER = "publisher"  # of the schema registry: the one role that may write there

REPLAYS = "consumers.replay.migrations"  # the record of replays, of each service that consumes


def _found() -> Iterator[Service]:
    """Yield what the folders of contexts declare, and what a folder in one does: a context may have two doors."""
    for folder in FOLDERS:
        for name in _packages_in(folder):
            for package in (name, *_packages_in(name)):
                if find_spec(f"{package}.service"):
                    yield import_module(f"{package}.service").SERVICE


def _packages_in(package: str) -> list[str]:
    found = pkgutil.iter_modules(import_module(package).__path__, f"{package}.")
    return [module.name for module in found if module.ispkg]


def _own_migrations(service: Service) -> bool:
    [folder] = import_module(service.package).__path__
    return any(Path(folder, "migrations", "versions").glob("*.py"))


def _packages(schema: str) -> Iterator[str]:
    if schema == ACCESS:
        yield ACCESS_TABLES
        return
    members = [service for service in SERVICES if service.schema == schema]
    yield from (f"{each.package}.migrations" for each in members if _own_migrations(each))
    if schema != RELAY:
        yield OUTBOX_TABLES
    if any(service.kind == "rest" for service in members):
        yield REST_TABLES
    if any(service.is_consumer for service in members):
        yield CONSUMER_TABLES
        yield REPLAYS
    if any(service.has_sagas for service in members):
        yield SAGA_TABLES


RELAY_SERVICE = Service(name="relay", package="cdc.relay", kind="relay", port=18014, schema=RELAY)
SERVICES = (RELAY_SERVICE, *_found())
WORKERS = tuple(service for service in SERVICES if service.is_consumer)
CONSUMER_ROLES = tuple(dict.fromkeys(each.role for each in WORKERS if each.role))
SAGA_ROLES = tuple(dict.fromkeys(each.role for each in SERVICES if each.has_sagas and each.role))
"""Roles of the services that have sagas; as of those that consume, each has a schema of its name."""

OUTBOXES = (
    *dict.fromkeys(each.schema for each in SERVICES if each.schema and each.kind != "relay"),
    CANARY,
)
"""Schemas with an outbox, which are all but those of the relay and of API keys."""
SCHEMAS = (RELAY, ACCESS, *OUTBOXES)
SECRETS = tuple(dict.fromkeys(name for each in SERVICES for name in each.secrets.values()))
"""What services seal or sign with, and the stack makes."""
MIGRATIONS = {schema: tuple(_packages(schema)) for schema in SCHEMAS}
"""Schema -> packages of Alembic migrations that make it, in the order in which they are applied."""


def find_service(name: str) -> Service:
    for service in SERVICES:
        if service.name == name:
            return service
    raise LookupError(f"no service is called {name}")
