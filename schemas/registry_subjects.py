"""The subjects of a registry: their versions, their compatibility rules, and registering a new version."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, TypeVar

from schemas.references import inlined
from schemas.registry import (
    RegistryUnavailableError,
    client,
    explain,
    failures,
    is_missing,
)
from schemas.registry_settings import RegistrySettings

# the client takes a fifth of a second to import, and 15 MB, also where nobody asks a registry
if TYPE_CHECKING:
    from confluent_kafka.schema_registry import Schema, SchemaRegistryClient

REFUSALS = frozenset({409, 422})
"""The schema breaks the subject's rule; it is no schema."""

T = TypeVar("T")


class IncompatibleSchemaError(Exception):
    """The registry refused a schema: it breaks its subject's compatibility rule, or is none."""


@dataclass(frozen=True, slots=True)
class Registered:
    """One version of a subject."""

    version: int
    schema_id: int
    text: str


class Subjects:
    """Asks a registry about subjects and registers versions, by calls that Apicurio and Confluent answer alike.

    Each method raises RegistryRefusedError when the role may not do it, and RegistryUnavailableError when the
    registry cannot be asked.
    """

    def __init__(self, registry: "SchemaRegistryClient", settings: RegistrySettings) -> None:
        self._registry = registry
        self._settings = settings

    @classmethod
    @contextmanager
    def open(cls, settings: RegistrySettings) -> Iterator[Self]:
        """Connect for the time of the block."""
        with closing(client(settings)) as registry:
            yield cls(registry, settings)

    def find(self, subject: str, text: str) -> Registered | None:
        """Return the version with exactly this text, None if there is none."""
        found = self._or_none(lambda: self._registry.lookup_schema(subject, _schema(text)))
        if found is None or found.version is None or found.schema_id is None:
            return None
        return Registered(found.version, found.schema_id, text)

    def versions(self, subject: str) -> list[Registered]:
        """Return all versions, oldest first; none for a subject that the registry does not know."""
        numbers = self._or_none(lambda: self._registry.get_versions(subject)) or []
        return [self._version(subject, number) for number in sorted(numbers)]

    def rule(self, subject: str) -> str | None:
        from confluent_kafka.schema_registry import ConfigCompatibilityLevel

        config = self._or_none(lambda: self._registry.get_config(subject))
        level = config and (config.compatibility_level or config.compatibility)
        return ConfigCompatibilityLevel(level).value if level else None

    def set_rule(self, subject: str, rule: str) -> None:
        from confluent_kafka.schema_registry import ConfigCompatibilityLevel, ServerConfig

        config = ServerConfig(compatibility=ConfigCompatibilityLevel(rule))
        self._call(lambda: self._registry.set_config(subject, config))

    def register(self, subject: str, text: str) -> Registered:
        schema = _schema(text)
        self._call(lambda: self._registry.register_schema_full_response(subject, schema), subject)
        registered = self.find(subject, text)
        if registered is None:
            raise RegistryUnavailableError(
                f"the registry at {self._settings.url} lost {subject} just after taking it"
            )
        return registered

    def accepts(self, subject: str, text: str, *, transitively: bool) -> bool:
        """Tell whether the registry finds a text compatible with a subject's versions, by the subject's rule.

        Args:
            transitively: Whether to ask about all versions or about the latest alone; Apicurio does not derive it
                from the rule.
        """
        schema = _schema(text)
        ask = (
            self._registry.test_compatibility_all_versions
            if transitively
            else self._registry.test_compatibility
        )
        return self._call(lambda: ask(subject, schema), subject)

    def _version(self, subject: str, number: int) -> Registered:
        found = self._call(lambda: self._registry.get_version(subject, number))
        text = found.schema.schema_str
        if found.schema_id is None or text is None:
            raise RegistryUnavailableError(
                f"the registry at {self._settings.url} holds no text for version {number} of {subject}"
            )
        return Registered(number, found.schema_id, self._whole(found.schema, text))

    def _whole(self, schema: "Schema", text: str) -> str:
        places = {each.name: each for each in schema.references or ()}
        if not places:
            return text

        def load(name: str) -> Any:
            place = places[name]
            return json.loads(self._version(str(place.subject), int(place.version or 0)).text)

        return json.dumps(inlined(json.loads(text), load), separators=(",", ":"))

    def _or_none(self, ask: Callable[[], T]) -> T | None:
        try:
            return ask()
        except failures() as error:
            if is_missing(error):
                return None
            raise explain(error, self._settings) from error

    def _call(self, ask: Callable[[], T], subject: str = "") -> T:
        from confluent_kafka.schema_registry.error import SchemaRegistryError

        try:
            return ask()
        except failures() as error:
            if isinstance(error, SchemaRegistryError) and error.http_status_code in REFUSALS:
                raise IncompatibleSchemaError(
                    f"the registry at {self._settings.url} refuses {subject}: {error}"
                ) from error
            raise explain(error, self._settings) from error


def _schema(text: str) -> "Schema":
    from confluent_kafka.schema_registry import Schema

    return Schema(text, "AVRO")
