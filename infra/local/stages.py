"""Running the steps of a start side by side, as far as they do not depend on each other."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from infra.errors import TailraceError, explain
from infra.local.probe import CancelledError


class StageError(TailraceError):
    """A stage failed for a reason its own code did not put into a sentence."""


class Report(Protocol):
    """Told how the stages go on; called from the thread that runs `run_stages`."""

    def started(self, stage: str) -> None:
        """The stage has begun."""

    def finished(self, stage: str, seconds: float, detail: str) -> None:
        """The stage is done; `detail` says what it found or changed, and may be empty."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One step."""

    name: str  # unique among the stages of one run
    run: Callable[[], str]  # does the work and returns a few words about it, or ""
    after: tuple[str, ...] = ()  # names of the stages that must be finished first


def run_stages(
    stages: Sequence[Stage], report: Report, cancelled: threading.Event
) -> dict[str, float]:
    """Run all stages, each as soon as those it depends on are done; return the seconds that each took.

    When one fails, `cancelled` is set, no further stage begins, those under way are waited for,
    and the first failure is raised.
    """
    seconds: dict[str, float] = {}
    pending = list(stages)
    running: dict[Future[str], tuple[Stage, float]] = {}
    failures: list[tuple[Stage, BaseException]] = []
    with ThreadPoolExecutor(max_workers=len(stages)) as pool:
        try:
            while running or (pending and not failures):
                for stage in [stage for stage in pending if seconds.keys() >= set(stage.after)]:
                    if not failures:
                        pending.remove(stage)
                        report.started(stage.name)
                        running[pool.submit(stage.run)] = (stage, time.monotonic())
                if not running:
                    break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    stage, begin = running.pop(future)
                    if (error := future.exception()) is not None:
                        failures.append((stage, error))
                        cancelled.set()
                        continue
                    seconds[stage.name] = time.monotonic() - begin
                    report.finished(stage.name, seconds[stage.name], future.result())
        except BaseException:
            cancelled.set()
            raise
    if failures:
        raise _first_cause(failures)
    if pending:
        awaited = ", ".join(sorted(set(pending[0].after) - seconds.keys()))
        raise StageError(f"{pending[0].name} waits for {awaited}, which never happens.")
    return seconds


def _first_cause(failures: list[tuple[Stage, BaseException]]) -> BaseException:
    """Prefer the failure that made the others give up."""
    causes = [failure for failure in failures if not isinstance(failure[1], CancelledError)]
    stage, error = (causes or failures)[0]
    if isinstance(error, TailraceError) or not isinstance(error, Exception):
        return error
    sentence = explain(error)
    if sentence is None:
        return error
    failure = StageError(f"{stage.name}: {sentence}")
    failure.__cause__ = error
    return failure
