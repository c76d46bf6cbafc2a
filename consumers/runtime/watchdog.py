"""Watches over the workers of a process, from a thread of its own: well is who holds his share and makes progress.

What it knows of topics and groups comes from Kafka clients of its own: a worker's may be what stands still. It asks for
all workers at once, most of which read the same topics.
"""

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from confluent_kafka import KafkaException

from cdc.kafka import Admin, Topic, read_topics
from cdc.logs import FieldLogger
from cdc.speaker import speaker
from consumers.runtime.group import Group, GroupReader
from consumers.runtime.judge import IDLE_LIMIT_S
from consumers.runtime.watch import Standing, Watch

LOOK_EVERY_S = 1.0
SHORTEST_S, LONGEST_S = 1.0, 5.0
"""How long the client of a look may wait, at first and after it did so in vain: who asked a broker that was lost a
moment ago waits to the end, while others answer already.
"""
SOON_S = 0.2

log = FieldLogger(__name__)


class Watchdog(threading.Thread):
    """Looks at workers again and again, and has the process end when one stands still and a new start may help.

    Args:
        bootstrap: `host:port` of a broker.
        watches: Who is looked at, as long as `is_kept` says so.
    """

    def __init__(self, bootstrap: str, watches: Sequence[Watch]) -> None:
        super().__init__(name="watchdog", daemon=True)
        self._servers = bootstrap
        self.watches = watches
        self._every_s = min(LOOK_EVERY_S, *(watch.limit_s / 4 for watch in watches))
        # a Kafka that takes longer over its answers has let one of them time out
        self._longest_look_s = min(IDLE_LIMIT_S, *(watch.limit_s for watch in watches)) / 2
        self._awake_at = 0.0
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Stop watching."""
        self._stopped.set()

    def run(self) -> None:
        """Look at the workers until told to stop."""
        self._admin, self._reader = Admin(self._servers), GroupReader(self._servers)
        self._awake_at = time.monotonic()
        while not self._stopped.wait(self._pause_s):
            watches = [watch for watch in self.watches if watch.is_kept]
            self._forget_after(2 * self._every_s + 1, watches)
            with _failures_told():
                self._look(watches, min(LONGEST_S, SHORTEST_S * 2 ** min(self._blind, 3)))
        self._reader.close()

    def _forget_after(self, longest_s: float, watches: Sequence[Watch]) -> None:
        """Forget what was seen if what was done since the last time took longer.

        This process was frozen, or Kafka away: that nothing has moved meanwhile says nothing.
        """
        since, self._awake_at = self._awake_at, time.monotonic()
        if self._awake_at - since > longest_s:
            for watch in watches:
                watch.forget()

    @property
    def _blind(self) -> int:
        return max(watch.blind for watch in self.watches)

    @property
    def _pause_s(self) -> float:
        return min(SOON_S, self._every_s) if self._blind else self._every_s

    def _look(self, watches: Sequence[Watch], timeout_s: float) -> None:
        standings: dict[Watch, Standing] = {}
        for watch in watches:
            with _on_account_of(watch):
                standings[watch] = watch.standing()
        names = {name for watch in watches for name in watch.worker.topics}
        try:
            with self._admin.asking() as admin:
                topics = read_topics(admin, names, timeout_s)
        except KafkaException as error:
            for watch in watches:
                watch.not_told(error)
            return
        theirs = {watch: _those_of(watch, topics) for watch in standings}
        for watch, standing in standings.items():
            with _on_account_of(watch):
                watch.compare(standing, theirs[watch])
        groups = self._reader.read([watch.worker.group for watch in watches], timeout_s)
        self._forget_after(self._longest_look_s, watches)
        for watch, standing in standings.items():
            with _on_account_of(watch):
                self._judge(watch, standing, theirs[watch], groups[watch.worker.group])

    def _judge(
        self,
        watch: Watch,
        standing: Standing,
        topics: Mapping[str, Topic],
        group: Group | KafkaException,
    ) -> None:
        try:
            if isinstance(group, KafkaException):
                raise group
            self._remove_ended(watch, group)
            watch.judge(standing, topics, group)
        except KafkaException as error:
            watch.not_told(error)

    def _remove_ended(self, watch: Watch, group: Group) -> None:
        if ended := watch.ended(group):
            self._reader.remove(watch.worker.group, ended)
            log.info("removed from the group whose process has ended", members=ended)


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except Exception:
        log.exception("watchdog failed in itself")


@contextmanager
def _on_account_of(watch: Watch) -> Iterator[None]:
    """Look at one worker; what fails in that keeps nobody from looking at the others."""
    speaker.set(watch.worker.group)
    with _failures_told():
        yield


def watchdogs_for(watches: Sequence[Watch]) -> list[Watchdog]:
    """Return a watchdog for each cluster that workers of a process are on, which is one but for special settings."""
    on = dict.fromkeys(watch.worker.bootstrap for watch in watches)
    return [
        Watchdog(bootstrap, [watch for watch in watches if watch.worker.bootstrap == bootstrap])
        for bootstrap in on
    ]


def _those_of(watch: Watch, topics: Mapping[str, Topic]) -> Mapping[str, Topic]:
    return {name: topics[name] for name in watch.worker.topics if name in topics}
