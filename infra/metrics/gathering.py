"""Gathers metrics from sources, each of which may be down or stand still without holding up the others."""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass

from cdc.logs import FieldLogger
from cdc.metrics import Labels, Metric, gauge, render
from infra.errors import explain
from infra.metrics.probes import Probe

PATIENCE_S = 2.0
"""How long a scrape waits for sources that do not answer; Prometheus gives it 10 s."""
KEPT_S = 30.0
"""How long what a source said is told when it says nothing more: one late answer is not to end an alert."""
LINGER_S = 120.0
"""How long connections are kept when nobody scrapes any more."""

Look = Callable[[], Iterable[Metric]]

log = FieldLogger(__name__)


@dataclass(frozen=True, slots=True)
class Source:
    """Something that metrics are read from, at each scrape.

    Args:
        open: Opens what is looked through, in a thread that the source has to itself; what it gives is called for each
            look. When a look fails, it is closed, and opened anew for the next.
        every_s: Seconds after which it is looked at again; what it said is told until then.
    """

    name: str
    open: Callable[[], AbstractContextManager[Look]]
    every_s: float = 0.0


class Gatherer:
    """Gathers from sources at each scrape, and tells what probes found that are made beside them."""

    def __init__(self, sources: Iterable[Source], probes: Sequence[Probe] = ()) -> None:
        self._watched = [_Watched(source) for source in sources]
        self._probes = probes
        self._timer: asyncio.TimerHandle | None = None

    async def gather(self, patience_s: float = PATIENCE_S) -> str:
        """Return all metrics as text, within so many seconds; of a source that has not answered, that it has not."""
        self._keep_open()
        for probe in self._probes:
            probe.begin()
        looks = [asyncio.wrap_future(each.begin()) for each in self._watched]
        _, late = await asyncio.wait(looks, timeout=patience_s)
        for each in late:
            each.cancel()
        return render(self._metrics())

    def close(self) -> None:
        for each in self._watched:
            each.close()

    def _keep_open(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(LINGER_S, self.close)

    def _metrics(self) -> Iterator[Metric]:
        up: dict[Labels, float] = {(each.name,): each.is_up for each in self._watched}
        up |= {(each.name,): each.is_up for each in self._probes}
        yield gauge(
            "tailrace_source_up",
            "Whether what is asked for metrics has answered in time; if not, its metrics are missing soon.",
            up,
            ["source"],
        )
        yield gauge(
            "tailrace_source_duration_seconds",
            "Time that the answer took.",
            {(each.name,): each.took_s for each in self._watched},
            ["source"],
        )
        for each in self._watched:
            yield from each.metrics
        for probe in self._probes:
            yield from probe.metrics()


class _Watched:
    """A source, and what it said last."""

    def __init__(self, source: Source) -> None:
        self.name = source.name
        self._source = source
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=source.name)
        self._opened = ExitStack()
        self._look: Look | None = None
        self._looking: Future[None] | None = None
        self._told: Sequence[Metric] = ()
        self._told_at = 0.0
        self._has_failed = False
        self._took_s: float | None = None
        self._begun_at = 0.0

    @property
    def is_up(self) -> bool:
        return not self._is_late and not self._has_failed

    @property
    def metrics(self) -> Sequence[Metric]:
        is_kept = time.monotonic() - self._told_at < KEPT_S + self._source.every_s
        return self._told if is_kept else ()

    @property
    def took_s(self) -> float | None:
        return None if self._is_late else self._took_s

    @property
    def _is_late(self) -> bool:
        return self._looking is None or not self._looking.done()

    def begin(self) -> "Future[None]":
        """Begin a look, unless one is under way, or it is too early for it."""
        now = time.monotonic()
        is_early = not self._has_failed and now - self._begun_at < self._source.every_s
        if self._looking is None or (self._looking.done() and not is_early):
            self._begun_at = now
            self._looking = self._thread.submit(self._ask)
        # who waits for it may give up, and it goes on
        ended: Future[None] = Future()

        def tell(_: "Future[None]") -> None:
            with suppress(InvalidStateError):
                ended.set_result(None)

        self._looking.add_done_callback(tell)
        return ended

    def close(self) -> None:
        self._thread.submit(self._close)

    def _ask(self) -> None:
        began = time.monotonic()
        try:
            if self._look is None:
                self._look = self._opened.enter_context(self._source.open())
            self._told, self._told_at = list(self._look()), time.monotonic()
            self._has_failed = False
        except Exception as error:
            if (sentence := explain(error)) is None:
                log.exception("failed", source=self.name)
            else:
                log.warning("does not answer", source=self.name, because=sentence)
            self._has_failed = True
            self._close()
        self._took_s = time.monotonic() - began

    def _close(self) -> None:
        self._look = None
        try:
            self._opened.close()
        except Exception:
            log.exception("failed to close", source=self.name)
