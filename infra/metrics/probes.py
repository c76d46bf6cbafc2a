"""What takes too long for each scrape, and is done beside now and then: a canary, and what the doctor checks."""

import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from cdc.logs import FieldLogger
from cdc.metrics import Metric, counter, gauge, one
from infra import pipeline
from infra.deployment import Deployment
from infra.errors import explain
from infra.operations.doctor import Finding, examine, lasting_checks, publisher_of

log = FieldLogger(__name__)


OVERDUE_S = 120.0
"""How long a probe may take before it is said to give no answer."""


class Probe(Protocol):
    """Something that is done beside scrapes."""

    name: str

    @property
    def is_up(self) -> bool:
        """Whether it does not stand still."""

    def begin(self) -> None:
        """Begin with it in a thread, if it is due and not under way."""

    def metrics(self) -> Iterator[Metric]:
        """Yield what it found last."""


class _Beside(ABC):
    """Does something in a thread of its own, at most so often."""

    def __init__(self, name: str, every_s: float) -> None:
        self.name = name
        self._every_s = every_s
        self._thread: threading.Thread | None = None
        self._begun_at: float | None = None

    @property
    def is_up(self) -> bool:
        if self._thread is None or self._begun_at is None or not self._thread.is_alive():
            return True
        return time.monotonic() - self._begun_at < OVERDUE_S

    def begin(self) -> None:
        now = time.monotonic()
        if self._thread is not None and self._thread.is_alive():
            return
        if self._begun_at is None or now - self._begun_at >= self._every_s:
            self._begun_at = now
            self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            self._do()
        except Exception as error:
            if (sentence := explain(error)) is None:
                log.exception("failed", probe=self.name)
            else:
                log.warning("failed", probe=self.name, because=sentence)

    @abstractmethod
    def _do(self) -> None:
        """Do it; what it raises is logged."""


class Canary(_Beside):
    """Sends a message through the whole pipeline again and again."""

    def __init__(self, deployment: Deployment, every_s: float) -> None:
        super().__init__("canary", every_s)
        self._deployment = deployment
        self._through_at = time.monotonic()  # when the last one was sent that came through
        self._took_s: float | None = None
        self._sent = self._failed = 0
        self._asked_at = self._through_at

    def begin(self) -> None:
        now = time.monotonic()
        # while nobody scraped none was sent, and none is missing
        if now - self._asked_at > 2 * self._every_s:
            self._through_at = now
        self._asked_at = now
        super().begin()

    def metrics(self) -> Iterator[Metric]:
        yield gauge(
            "tailrace_canary_age_seconds",
            "Time since the last canary was sent that came through, or since the exporter was started.",
            one(time.monotonic() - self._through_at),
        )
        yield gauge(
            "tailrace_canary_duration_seconds",
            "Time that the last canary took from its commit to a reader of Kafka.",
            one(self._took_s),
        )
        yield counter("tailrace_canary_sent_total", "Canaries that were sent.", one(self._sent))
        yield counter(
            "tailrace_canary_failed_total", "Canaries that did not come through.", one(self._failed)
        )

    def _do(self) -> None:
        began = time.monotonic()
        self._sent += 1
        try:
            self._took_s = pipeline.send_canary(self._deployment)
        except Exception:
            self._failed += 1
            raise
        self._through_at = began


class Checks(_Beside):
    """Goes through what the doctor checks that leaves nothing behind."""

    def __init__(self, deployment: Callable[[], Deployment], every_s: float) -> None:
        super().__init__("checks", every_s)
        self._deployment = deployment
        self._found: Mapping[str, Finding] = {}

    def metrics(self) -> Iterator[Metric]:
        states = {"ok": 1.0, "wrong": 0.0, "unknown": None}
        yield gauge(
            "tailrace_check_ok",
            "Whether a check of `tailrace doctor` has found nothing wrong; missing where it could not be made.",
            {(name,): states[finding.state] for name, finding in self._found.items()},
            ["check"],
        )

    def _do(self) -> None:
        # where Debezium is to read changes when a standby takes over
        deployment = self._deployment()
        checks = lasting_checks(deployment, publisher_of(deployment))
        found = examine(checks, "see `tailrace doctor`")
        self._found = {each.name: each for each in found}
