"""Keeping an instance registered: told at once, renewed, told again when it was forgotten, taken back at the end.

What is particular of a registry is an `Entry`; when it is asked for what, and that it may be away, is here.
"""

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol

from cdc.chores import cancel
from cdc.logs import FieldLogger
from producers.discovery.instances import Instance, SourceError
from producers.discovery.registries.client import RegistryClient

RENEWALS = 3
"""Renewals in the time after which an instance counts as gone."""
AGAIN_S = 2.0
"""Pause before a registry that is away is told again, at most."""
SPREAD = 0.2
"""Share of a pause by which it varies, so that not all instances come at once."""
END_S = 3.0
"""How long a service that is to stop waits for the registry to hear of it."""

log = FieldLogger(__name__)


class Entry(Protocol):
    """What a registry keeps of an instance. Each of these raises SourceError when the registry is away or refuses."""

    async def register(self) -> None:
        """Tell of the instance, whether or not it is known already."""
        ...

    async def renew(self) -> bool:
        """Say that it lives; false if the registry does not know it."""
        ...

    async def deregister(self) -> None:
        """Take it back, if it is known."""
        ...


@dataclass(slots=True)
class Presence:
    """How far a registry knows of an instance."""

    is_registered: bool = False
    registrations: int = 0  # more than one: it was forgotten, or thought to be gone
    renewals: int = 0
    trouble: str | None = None  # what keeps the registry from being told now


class Keeping(ABC):
    """A registrar.

    Args:
        name: What people call the registry.
        every_s: How often an instance is renewed, in seconds.
    """

    def __init__(self, name: str, *, every_s: float) -> None:
        self.name = name
        self.presence = Presence()
        self._every_s = every_s

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[RegistryClient]:
        """Open the connections to the registry."""

    @abstractmethod
    def entry(self, client: RegistryClient, service: str, instance: Instance) -> Entry:
        """Return what the registry keeps of the instance."""

    @asynccontextmanager
    async def registered(self, service: str, instance: Instance) -> AsyncIterator[None]:
        """Keep the instance registered, and renewed as the registry wants it, until the block ends.

        A registry that is away does not keep the service from starting: it is told when it is back. One that has
        forgotten the instance is told again. At the end the instance is deregistered, in bounded time.
        """
        fields = {
            "registry": self.name,
            "as": service,
            "instance": str(instance),
        }
        ending = asyncio.Event()
        async with self.open() as client:
            entry = self.entry(client, service, instance)
            keeping = asyncio.create_task(self._keep(entry, ending, fields))
            try:
                yield
            finally:
                ending.set()
                await self._leave(entry, keeping, fields)

    async def _keep(self, entry: Entry, ending: asyncio.Event, fields: Mapping[str, str]) -> None:
        presence = self.presence
        while not ending.is_set():
            try:
                presence.is_registered = presence.is_registered and await entry.renew()
                if presence.is_registered:
                    presence.renewals += 1
                else:
                    await entry.register()
                    presence.is_registered = True
                    presence.registrations += 1
                    log.info("registered", **fields)
            except SourceError as error:
                if presence.trouble is None:
                    log.warning("registry cannot be told", reason=str(error), **fields)
                presence.trouble = str(error)
            except Exception as error:
                log.exception("registration failed", **fields)
                presence.trouble = repr(error)
            else:
                if presence.trouble is not None:
                    log.info("registry is back", **fields)
                presence.trouble = None
            pause_s = self._every_s if presence.trouble is None else min(AGAIN_S, self._every_s)
            await _until(ending, pause_s * random.uniform(1 - SPREAD, 1))  # noqa: S311

    async def _leave(
        self, entry: Entry, keeping: asyncio.Task[None], fields: Mapping[str, str]
    ) -> None:
        """Deregister, when nothing is under way that would register again."""
        try:
            async with asyncio.timeout(END_S):
                await asyncio.shield(keeping)
                await entry.deregister()
        except (SourceError, TimeoutError) as error:
            reason = str(error) or f"it took longer than {END_S:g} s"
            log.warning("registry cannot be told of the end", reason=reason, **fields)
        except Exception:
            log.exception("deregistration failed", **fields)
        else:
            log.info("deregistered", **fields)
        finally:
            self.presence.is_registered = False
            await cancel([keeping])


async def _until(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, or for so long."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
