"""Schema ids and schema texts: from the cache on disk first, from the registry when they are new.

A registered schema and its id never change, so what was once asked is kept for good: a process that has started
before neither writes nor reads less because the registry is down.
"""

import hashlib
import os
import tempfile
from contextlib import closing
from pathlib import Path

import httpx2
from confluent_kafka.schema_registry import Schema, SchemaRegistryClient
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas.contracts import canonical, fingerprint

TIMEOUT_S = 5.0


class RegistryUnavailableError(Exception):
    """The registry did not answer, or answered that it cannot serve; the same call may succeed later."""


class UnknownSchemaError(LookupError):
    """The registry answered that it does not hold the schema."""


def client(url: str) -> SchemaRegistryClient:
    """Return a client of the registry's Confluent-compatible API, to be closed after use.

    Args:
        url: Base URL of that API, such as `http://127.0.0.1:18081/apis/ccompat/v7`.
    """
    return SchemaRegistryClient(
        {"url": url, "timeout": TIMEOUT_S, "max.retries": 2, "retries.wait.ms": 200}
    )


class SchemaStore:
    """Answers which id a schema has and which schema an id has.

    Args:
        registry_url: Base URL of the registry's Confluent-compatible API.
        cache: Directory of the answers kept on disk, made when missing; several processes may share it.
    """

    def __init__(self, registry_url: str, cache: Path) -> None:
        self._url = registry_url
        self._cache = cache / hashlib.sha256(registry_url.encode()).hexdigest()[:12]
        self._cache.mkdir(parents=True, exist_ok=True)

    def id_of(self, name: str) -> int:
        """Return the id under which this code's version of a message's schema is registered.

        Args:
            name: Full name of the Avro record, which is also its subject.

        Raises:
            UnknownSchemaError: the schema was never published.
            RegistryUnavailableError: the id is not cached and the registry cannot be asked.
        """
        schema = canonical(name)
        entry = self._cache / f"{fingerprint(schema)}.id"
        if entry.is_file():
            return int(entry.read_text())
        schema_id = self._ask_id(name, schema)
        self._keep(entry, str(schema_id))
        return schema_id

    def schema_of(self, schema_id: int) -> str:
        """Return the schema text registered under an id.

        Raises:
            UnknownSchemaError: the registry holds no such id.
            RegistryUnavailableError: the schema is not cached and the registry cannot be asked.
        """
        entry = self._cache / f"{schema_id}.avsc"
        if entry.is_file():
            return entry.read_text()
        schema = self._ask_schema(schema_id)
        self._keep(entry, schema)
        return schema

    def _ask_id(self, name: str, schema: str) -> int:
        try:
            with closing(client(self._url)) as registry:
                registered = registry.lookup_schema(name, Schema(schema, "AVRO"))
        except (SchemaRegistryError, httpx2.HTTPError) as error:
            raise self._explain(error, f"{name} is not published in this form") from error
        if registered.schema_id is None:
            raise UnknownSchemaError(f"the registry at {self._url} gave no id for {name}")
        return registered.schema_id

    def _ask_schema(self, schema_id: int) -> str:
        try:
            with closing(client(self._url)) as registry:
                schema = registry.get_schema(schema_id)
        except (SchemaRegistryError, httpx2.HTTPError) as error:
            raise self._explain(error, f"schema id {schema_id} is unknown") from error
        if schema.schema_str is None:
            raise UnknownSchemaError(
                f"the registry at {self._url} holds no text for id {schema_id}"
            )
        return schema.schema_str

    def _explain(self, error: Exception, missing: str) -> Exception:
        if (
            isinstance(error, SchemaRegistryError)
            and error.http_status_code == httpx2.codes.NOT_FOUND
        ):
            return UnknownSchemaError(
                f"{missing}: the registry at {self._url} does not hold it; run `make schema-publish`"
            )
        return RegistryUnavailableError(
            f"the schema registry at {self._url} cannot be asked ({error}); see `tailrace status`"
        )

    def _keep(self, entry: Path, text: str) -> None:
        """Write a cache entry whole or not at all, as other processes may be reading it."""
        descriptor, temporary = tempfile.mkstemp(dir=self._cache)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
        Path(temporary).replace(entry)
