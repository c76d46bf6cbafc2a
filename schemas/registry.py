"""Schema ids and schema texts: from the cache on disk first, from the registry when they are new.

A registered schema and its id never change, so what was once asked is kept for good: a process that has started
before neither writes nor reads less because the registry is down.
"""

import hashlib
from contextlib import closing
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from schemas.contracts import canonical, fingerprint
from schemas.files import replace_file
from schemas.proxies import heeded
from schemas.registry_settings import RegistrySettings

# the client takes a fifth of a second to import, and who has all schemas in the cache never needs it
if TYPE_CHECKING:
    from confluent_kafka.schema_registry import SchemaRegistryClient

_REFUSALS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class RegistryUnavailableError(Exception):
    """The registry did not answer, or answered that it cannot serve; the same call may succeed later."""


class RegistryRefusedError(RegistryUnavailableError):
    """The registry does not let this role do it."""


class UnknownSchemaError(LookupError):
    """The registry answered that it does not hold the schema."""


def failures() -> tuple[type[Exception], ...]:
    """Return what the client raises when the registry refuses, fails or is not there."""
    import httpx2
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    return SchemaRegistryError, httpx2.HTTPError


def client(settings: RegistrySettings) -> "SchemaRegistryClient":
    import httpx2
    from confluent_kafka.schema_registry import SchemaRegistryClient

    configuration = settings.client_configuration()
    if heeded(settings.url):
        return SchemaRegistryClient(configuration)
    # it cannot be told to ask through no proxy: named one, it does not look for those of the environment
    made = SchemaRegistryClient(configuration | {"proxy": settings.url})
    rest = made._rest_client  # noqa: SLF001
    rest.session.close()
    rest.session = httpx2.Client(
        verify=rest.verify, auth=rest.auth, timeout=rest.timeout, trust_env=False
    )
    return made


def explain(error: Exception, settings: RegistrySettings) -> RegistryUnavailableError:
    """Return what a failed call means: one of `failures()`, as an error that says what to do."""
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    if not isinstance(error, SchemaRegistryError):
        return RegistryUnavailableError(
            f"the schema registry at {settings.url} cannot be asked ({str(error) or type(error).__name__}); "
            "see `tailrace status`"
        )
    if error.http_status_code not in _REFUSALS:
        return RegistryUnavailableError(f"the schema registry at {settings.url} failed: {error}")
    who = _role(settings)
    if who and error.http_status_code == HTTPStatus.UNAUTHORIZED:
        return RegistryRefusedError(
            f"the schema registry at {settings.url} does not accept the credentials of {who}: they are wrong, "
            "or no longer valid; the local registry takes those that `make up` has generated"
        )
    return RegistryRefusedError(
        f"the schema registry at {settings.url} refuses {who or 'a caller without credentials'}: everybody may "
        "read, and the one role that may write is its publisher; `tailrace schema publish` takes that role's "
        "user and password from TAILRACE_REGISTRY_USER and TAILRACE_REGISTRY_PASSWORD_FILE, those of the local "
        "stack by itself"
    )


def is_missing(error: Exception) -> bool:
    """Tell whether the registry answered that it does not hold what was asked for."""
    from confluent_kafka.schema_registry.error import SchemaRegistryError

    return isinstance(error, SchemaRegistryError) and error.http_status_code == HTTPStatus.NOT_FOUND


def _role(settings: RegistrySettings) -> str | None:
    if settings.user:
        return f"user {settings.user}"
    named = settings.token_file or settings.certificate_file
    return f"the holder of {named}" if named else None


class Schemas(Protocol):
    """Answers which id a schema has and which schema an id has, as `SchemaStore` does."""

    def id_of(self, name: str) -> int:
        """Return the id of this code's version of a message's schema."""

    def schema_of(self, schema_id: int) -> str:
        """Return the schema text registered under an id."""


class SchemaStore:
    """Answers which id a schema has and which schema an id has.

    Args:
        cache: Directory of the answers kept on disk, made with the first of them; several processes may share it.
    """

    def __init__(self, registry: str | RegistrySettings, cache: Path) -> None:
        self._settings = (
            RegistrySettings.from_environment(url=registry)
            if isinstance(registry, str)
            else registry
        )
        url = self._settings.url
        self.directory = cache / hashlib.sha256(url.encode()).hexdigest()[:12]

    def id_of(self, name: str) -> int:
        """Return the id under which this code's version of a message's schema is registered.

        Raises:
            UnknownSchemaError: the schema was never published.
        """
        schema = canonical(name)
        entry = self.directory / f"{fingerprint(schema)}.id"
        if kept := _kept(entry):
            return int(kept)
        schema_id = self._ask_id(name, schema)
        self.keep(name, schema_id)
        return schema_id

    def keep(self, name: str, schema_id: int) -> None:
        """Note the id under which this code's version of a message's schema is registered."""
        schema = canonical(name)
        entry = self.directory / f"{fingerprint(schema)}.id"
        if not _kept(entry):
            self._keep(entry, str(schema_id))
            # whoever reads it need not ask
            self._keep(self.directory / f"{schema_id}.avsc", schema)

    def schema_of(self, schema_id: int) -> str:
        """Return the schema text registered under an id.

        Raises:
            UnknownSchemaError: the registry holds no such id.
        """
        entry = self.directory / f"{schema_id}.avsc"
        if kept := _kept(entry):
            return kept
        schema = self._ask_schema(schema_id)
        self._keep(entry, schema)
        return schema

    def _ask_id(self, name: str, schema: str) -> int:
        from confluent_kafka.schema_registry import Schema

        try:
            with closing(client(self._settings)) as registry:
                registered = registry.lookup_schema(name, Schema(schema, "AVRO"))
        except failures() as error:
            raise self._explain(error, f"{name} is not published in this form") from error
        if registered.schema_id is None:
            raise UnknownSchemaError(f"the registry at {self._settings.url} gave no id for {name}")
        return registered.schema_id

    def _ask_schema(self, schema_id: int) -> str:
        try:
            with closing(client(self._settings)) as registry:
                schema = registry.get_schema(schema_id)
        except failures() as error:
            raise self._explain(error, f"schema id {schema_id} is unknown") from error
        if schema.schema_str is None:
            raise UnknownSchemaError(
                f"the registry at {self._settings.url} holds no text for id {schema_id}"
            )
        return schema.schema_str

    def _explain(self, error: Exception, missing: str) -> Exception:
        if is_missing(error):
            return UnknownSchemaError(
                f"{missing}: the registry at {self._settings.url} does not hold it; run `make schema-publish`"
            )
        return explain(error, self._settings)

    def _keep(self, entry: Path, text: str) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        replace_file(entry, text)


def _kept(entry: Path) -> str:
    """Return what a cache entry says; nothing where there is none, or one that a loss of power has left empty."""
    return entry.read_text(encoding="utf-8") if entry.is_file() else ""
