"""What a service has registered of itself: told when it is ready, taken back before it stops."""

import asyncio
from contextlib import AsyncExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from cdc.service import StartError
from producers.discovery.instances import Instance
from producers.discovery.registries.registry_url import host_and_port

if TYPE_CHECKING:  # it brings an HTTP client, which a service without a registry need not load
    from producers.discovery.registries.keeping import Keeping

REGISTRARS = {
    "consul": "producers.discovery.registries.consul:ConsulRegistrar",
    "etcd": "producers.discovery.registries.etcd:EtcdRegistrar",
    "eureka": "producers.discovery.registries.eureka:EurekaRegistrar",
}
WAIT_MS = 1_000
EVERY_ADDRESS = frozenset({"0.0.0.0", "::", ""})  # noqa: S104  # told apart, not listened on


def registrar_at(address: str) -> "Keeping":
    """Return the registrar of a registry, by its address.

    Raises:
        ValueError: it is none that we know.
    """
    url = urlsplit(address)
    found = REGISTRARS.get(url.scheme)
    if found is None:
        known = ", ".join(f"{scheme}://host:port" for scheme in REGISTRARS)
        raise ValueError(f"must be one of {known}")
    module, _, name = found.partition(":")
    registrar: Keeping = getattr(import_module(module), name)(url)
    return registrar


def _registry(address: str) -> str:
    if address:
        registrar_at(address)
    return address


def _advertised(text: str) -> str:
    if text:
        host_and_port(text)
    return text


class RegistrationSettings(BaseSettings):
    """Where a service registers, and as what."""

    model_config = SettingsConfigDict(env_prefix="TAILRACE_", frozen=True)

    # registry to register at, such as consul://127.0.0.1:8500; empty for none
    register_at: Annotated[str, AfterValidator(_registry)] = ""
    # host:port under which others reach the service; that which it listens on if empty
    advertise: Annotated[str, AfterValidator(_advertised)] = ""
    # its share of the calls, compared with other instances
    advertise_weight: Annotated[int, Field(ge=1, le=1_000)] = 1
    # how long a service that is told to stop still answers, until everybody knows; a second if it is registered
    leave_wait_ms: Annotated[int, Field(ge=0, le=600_000)] | None = None


class Registration:
    """The presence of one service at a registry, from when it is ready until it stops.

    Args:
        registrar: Where it registers, if it does.
        service: Its name.
        instance: Where it is reached.
        wait_s: How long it goes on to answer, in seconds, when it is no longer registered.
    """

    def __init__(
        self, registrar: "Keeping | None", service: str, instance: Instance, *, wait_s: float
    ) -> None:
        self.is_leaving = False
        self._registrar = registrar
        self._service = service
        self._instance = instance
        self._wait_s = wait_s
        self._kept = AsyncExitStack()

    async def begin(self) -> None:
        """Have the registry told, now or when it is there."""
        if self._registrar is not None:
            kept = self._registrar.registered(self._service, self._instance)
            await self._kept.enter_async_context(kept)

    async def end(self) -> None:
        """Have the registry told of the end, and wait until those who asked it before know."""
        if not self.is_leaving:
            self.is_leaving = True
            await self._kept.aclose()
            await asyncio.sleep(self._wait_s)

    def figures(self) -> dict[str, Any] | None:
        """Return what operators see; None without a registry."""
        if self._registrar is None:
            return None
        presence = self._registrar.presence
        return {
            "registry": self._registrar.name,
            "service": self._service,
            "instance": str(self._instance),
            "registered": presence.is_registered,
            "registrations": presence.registrations,
            "renewals": presence.renewals,
            "trouble": presence.trouble,
        }


def registration_of(
    service: str, settings: RegistrationSettings, *, host: str, port: int
) -> Registration:
    """Return how a service registers.

    Args:
        service: Its name.
        host: Where it listens.
        port: The same.

    Raises:
        StartError: it cannot be told where others reach it.
    """
    registrar = registrar_at(settings.register_at) if settings.register_at else None
    reached_at, reached_by = host, None
    if settings.advertise:
        reached_at, reached_by = host_and_port(settings.advertise)
    if registrar is not None and reached_at in EVERY_ADDRESS:
        raise StartError(
            f"it listens on every address ({host}), so that nobody can be told under which it is reached; "
            "set TAILRACE_ADVERTISE to host:port"
        )
    wait_ms = settings.leave_wait_ms
    if wait_ms is None:
        wait_ms = WAIT_MS if registrar else 0
    instance = Instance(reached_at, reached_by or port, settings.advertise_weight)
    return Registration(registrar, service, instance, wait_s=wait_ms / 1000)
