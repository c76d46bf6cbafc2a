"""Serves the metrics of an installation to this machine, until it is told to stop."""

import asyncio
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from cdc.health import Answer, HealthEndpoints
from cdc.logs import FieldLogger
from cdc.metrics import METRICS
from cdc.signals import told_to_stop
from infra.deployment import Deployment

if TYPE_CHECKING:
    from infra.metrics.gathering import Gatherer, Source
    from infra.settings import Settings

HOST = "127.0.0.1"
"""Where it listens: it asks nobody who they are."""
TARGETS = "/targets"
PARTS_EVERY_S = 30.0
"""Every part is asked then, which takes as much as all else together."""
CANARY_EVERY_S = 60.0
CHECKS_EVERY_S = 600.0

log = FieldLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What metrics are about, and how often what takes long is done for them."""

    deployment: Deployment
    local: "Settings | None"  # of the local stack, whose processes can be looked at; None elsewhere
    parts_every_s: float = PARTS_EVERY_S
    canary_every_s: float = CANARY_EVERY_S
    checks_every_s: float = CHECKS_EVERY_S


def run(exported: Exported, port: int) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status, 1 when it could not start (a sentence says why)."""
    return asyncio.run(_serve(exported, port))


async def _serve(exported: Exported, port: int) -> int:
    endpoints = HealthEndpoints(_Answers(exported).paths)
    try:
        endpoints.bind(HOST, port)
    except OSError as error:
        print(
            f"cannot start: port {port} cannot be listened on ({error.strerror})", file=sys.stderr
        )
        return 1
    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)
    loop, stopped = asyncio.get_running_loop(), asyncio.Event()

    def stop(_number: int) -> None:
        loop.call_soon_threadsafe(stopped.set)

    with told_to_stop(stop):
        await endpoints.start()
        log.info("listening", host=HOST, port=port)
        await stopped.wait()
        await endpoints.stop()
    log.info("stopped")
    return 0


class _Answers:
    def __init__(self, exported: Exported) -> None:
        self._exported = exported
        self._gatherer: Gatherer | None = None
        self._turn = asyncio.Lock()
        self.paths: Mapping[str, Answer] = {
            "/health": lambda: (HTTPStatus.OK, {"status": "ok"}),
            METRICS: self._metrics,
            TARGETS: self._targets,
        }

    async def _metrics(self) -> tuple[HTTPStatus, str]:
        async with self._turn:
            if self._gatherer is None:
                self._gatherer = await _in_thread(lambda: load_gatherer(self._exported))
            return HTTPStatus.OK, await self._gatherer.gather()

    async def _targets(self) -> tuple[HTTPStatus, Any]:
        return HTTPStatus.OK, await _in_thread(self._found)

    def _found(self) -> Any:
        from infra.metrics.targets import targets

        return targets(self._exported.deployment, self._exported.local)


async def _in_thread(ask: Callable[[], Any]) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, ask)


def load_gatherer(exported: Exported) -> "Gatherer":
    """Load what looks at an installation: it takes a second and 30 MB, which who never scrapes can do without."""
    from infra.metrics.gathering import Gatherer
    from infra.metrics.probes import Canary, Checks

    deployment, local = exported.deployment, exported.local
    probes = (
        Canary(deployment, exported.canary_every_s),
        Checks(local.deployment if local else lambda: deployment, exported.checks_every_s),
    )
    return Gatherer(sources_of(exported), probes)


def sources_of(exported: Exported) -> "Sequence[Source]":
    from infra.metrics.parts import part_sources
    from infra.metrics.pipeline import pipeline_sources
    from infra.metrics.servers import server_sources

    deployment = exported.deployment
    return (
        *part_sources(deployment, exported.local, exported.parts_every_s),
        *server_sources(deployment),
        *pipeline_sources(deployment),
    )
