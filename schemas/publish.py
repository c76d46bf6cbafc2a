"""Registers the schemas of the catalogue in the registry."""

from contextlib import closing
from dataclasses import dataclass

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.common.schema_registry_client import ConfigCompatibilityLevel
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas.catalogue import catalogue
from schemas.contracts import canonical
from schemas.registry import RegistryUnavailableError, client

COMPATIBILITY = ConfigCompatibilityLevel.FULL_TRANSITIVE
"""Events are kept for good and read by programs of any age, so every version must read every other."""


class IncompatibleSchemaError(Exception):
    """The registry refused a schema because it breaks its subject's compatibility rule."""


@dataclass(frozen=True, slots=True)
class Published:
    """What the registry holds for one subject after publishing."""

    subject: str
    version: int
    schema_id: int
    new: bool


def publish(registry_url: str) -> list[Published]:
    """Register every message's schema that is not registered yet; change nothing otherwise.

    Args:
        registry_url: Base URL of the registry's Confluent-compatible API.

    Raises:
        IncompatibleSchemaError: a schema breaks its subject's rule; those before it in the catalogue are registered.
        RegistryUnavailableError: the registry cannot be asked.
    """
    with closing(client(registry_url)) as registry:
        return [_publish(registry, registry_url, name) for name in catalogue().messages]


def _publish(registry: SchemaRegistryClient, url: str, subject: str) -> Published:
    schema = Schema(canonical(subject), "AVRO")
    try:
        known = _lookup(registry, subject, schema)
        if known is not None:
            return known
        registry.register_schema_full_response(subject, schema)
        registry.set_config(subject, ServerConfig(compatibility=COMPATIBILITY))
        registered = _lookup(registry, subject, schema)
    except SchemaRegistryError as error:
        if error.http_status_code == httpx2.codes.CONFLICT:
            raise IncompatibleSchemaError(f"{subject} was refused: {error}") from error
        raise RegistryUnavailableError(
            f"the registry at {url} failed on {subject}: {error}"
        ) from error
    except httpx2.HTTPError as error:
        raise RegistryUnavailableError(
            f"the registry at {url} cannot be asked ({error}); see `tailrace status`"
        ) from error
    if registered is None:
        raise RegistryUnavailableError(f"the registry at {url} lost {subject} just after taking it")
    return Published(registered.subject, registered.version, registered.schema_id, new=True)


def _lookup(registry: SchemaRegistryClient, subject: str, schema: Schema) -> Published | None:
    try:
        found = registry.lookup_schema(subject, schema)
    except SchemaRegistryError as error:
        if error.http_status_code == httpx2.codes.NOT_FOUND:
            return None
        raise
    if found.version is None or found.schema_id is None:
        return None
    return Published(subject, found.version, found.schema_id, new=False)
