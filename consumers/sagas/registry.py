"""The definitions that a consumer runs, each in all versions that may still be under way."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import TypeAdapter

from consumers.runtime.refusals import RefusedError
from consumers.sagas.definition import Saga


class Sagas:
    """Definitions by name and version.

    Raises:
        ValueError: there is none, or one version twice.
    """

    def __init__(self, definitions: Iterable[Saga[Any]]) -> None:
        found = list(definitions)
        self._known = {(saga.name, saga.version): saga for saga in found}
        if not found or len(self._known) < len(found):
            raise ValueError("an orchestrator needs sagas, each version of them once")
        self._newest: Mapping[str, Saga[Any]] = {
            saga.name: saga for saga in sorted(found, key=lambda each: each.version)
        }
        self._states: dict[type, TypeAdapter[Any]] = {
            saga.state: TypeAdapter(saga.state) for saga in found
        }

    def __iter__(self) -> Iterator[Saga[Any]]:
        return iter(self._known.values())

    @property
    def newest(self) -> Iterable[Saga[Any]]:
        """Return the newest version of each, which is what begins."""
        return self._newest.values()

    def of(self, name: str, version: int) -> Saga[Any]:
        """Return a definition.

        Raises:
            LookupError: this program does not have it; another one, which is newer, may.
        """
        try:
            return self._known[name, version]
        except KeyError:
            raise LookupError(f"version {version} of the saga {name} is unknown here") from None

    def knows(self, name: str, version: int) -> bool:
        return (name, version) in self._known

    def newest_of(self, name: str) -> Saga[Any]:
        """Return the newest version of a definition."""
        return self._newest[name]

    def state_of(self, saga: Saga[Any]) -> TypeAdapter[Any]:
        """Return what turns the state of a saga to JSON and back."""
        return self._states[saga.state]

    def require(
        self, shapes: Mapping[tuple[str, int], str], running: Iterable[tuple[str, int]]
    ) -> None:
        """Refuse to run beside sagas that could not finish as they began.

        Args:
            shapes: The hash of each version that was ever introduced.
            running: Versions that are under way.

        Raises:
            RefusedError: a version has changed since, or is not known here.
        """
        for key, saga in self._known.items():
            if shapes.get(key, saga.shape_hash) != saga.shape_hash:
                raise RefusedError(
                    f"version {saga.version} of the saga {saga.name} is not what it was when it was introduced: its "
                    "steps or messages have changed. Give what has changed a new version, and keep the old one beside "
                    "it until its sagas have ended."
                )
        unknown = sorted(set(running) - self._known.keys())
        if unknown:
            named = ", ".join(f"{name} version {version}" for name, version in unknown)
            raise RefusedError(
                f"sagas are under way that this program does not know: {named}. Keep a version until its sagas have "
                "ended, or end them with `tailrace saga kill`."
            )
