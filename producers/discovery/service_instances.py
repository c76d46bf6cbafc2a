"""The instances of a service that is called: found by its resolver, chosen from by its balancer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractContextManager, asynccontextmanager

from cdc.chores import cancel
from producers.discovery.balancer import Balancer, Use
from producers.discovery.instances import Instance
from producers.discovery.resolver import Resolver
from producers.discovery.service_url import read


class ServiceInstances:
    """Where the calls of one service go.

    Args:
        url: Where the service is, see `ServiceUrl`.
        balancer: Chooses among its instances.
    """

    def __init__(self, url: str, balancer: Balancer) -> None:
        self.address = read(url)
        self._balancer = balancer
        self._resolver = Resolver(url, self._take)
        self.on_change: Callable[[frozenset[Instance]], None] = lambda _: None

    def others(self, tried: Collection[Instance]) -> int:
        """Return how many there are besides those."""
        return self._balancer.others(tried)

    async def ready(self, timeout_s: float) -> None:
        """Return when the source has said something for the first time, or the time is over."""
        await self._resolver.ready(timeout_s)

    def use(self, tried: Collection[Instance] = ()) -> AbstractContextManager[Use]:
        """Call one within the block; see `Balancer.use`."""
        return self._balancer.use(tried)

    def figures(self) -> Mapping[str, object]:
        """Return what operators see."""
        return {**self._resolver.figures(), "instances": self._balancer.figures()}

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Have them looked for while the block runs; those that the address names itself need no looking for."""
        if self.address.source is None:
            self._resolver.take(self.address.instances)
            yield
            return
        following = asyncio.create_task(
            self._resolver.follow(self.address.source()), name=f"follow {self.address.url}"
        )
        try:
            yield
        finally:
            await cancel([following])

    def _take(self, instances: frozenset[Instance]) -> None:
        self._balancer.update(instances)
        self.on_change(instances)
