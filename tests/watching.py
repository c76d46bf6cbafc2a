"""Somebody who watches a source, keeps what it said last, and begins again when it cannot tell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cdc.chores import cancel
from producers.discovery.instances import Instance, Source, SourceError
from tests.hops import until

PAUSE_S = 0.05


@dataclass
class Watching:
    """What is known of it."""

    found: frozenset[Instance] | None = None
    looks: list[frozenset[Instance]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    async def until(self, *instances: Instance) -> None:
        """Wait until these are the instances, and no others."""
        try:
            await until(lambda: self.found == frozenset(instances))
        except TimeoutError as error:
            raise TimeoutError(f"{self} never came to {instances}") from error


@asynccontextmanager
async def watching(source: Source) -> AsyncIterator[Watching]:
    known = Watching()
    task = asyncio.create_task(_watch(source, known))
    try:
        yield known
    finally:
        await cancel([task])


async def _watch(source: Source, known: Watching) -> None:
    while True:
        try:
            async for found in source.watch():
                known.found = found
                known.looks.append(found)
        except SourceError as error:
            known.errors.append(str(error))
            await asyncio.sleep(PAUSE_S)
