import os
import threading
from contextlib import nullcontext

import pytest

from infra.errors import TailraceError
from infra.local.probe import CancelledError, ProbeTimeoutError, wait_until
from infra.local.stages import Stage, StageError, run_stages


class Recorder:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, stage: str) -> None:
        self.lines.append(f"{stage} started")

    def finished(self, stage: str, seconds: float, detail: str) -> None:
        assert seconds >= 0
        self.lines.append(f"{stage} finished {detail}".rstrip())


class RefusedError(TailraceError):
    """An error with a sentence."""


def test_stages_wait_for_what_they_depend_on() -> None:
    recorder = Recorder()
    stages = [
        Stage("topics", lambda: "2 created", after=("kafka",)),
        Stage("kafka", lambda: ""),
    ]
    seconds = run_stages(stages, recorder, threading.Event())
    assert list(seconds) == ["kafka", "topics"]
    assert recorder.lines == [
        "kafka started",
        "kafka finished",
        "topics started",
        "topics finished 2 created",
    ]


def test_independent_stages_run_side_by_side() -> None:
    meeting = threading.Barrier(2, timeout=10)

    def meet() -> str:
        meeting.wait()
        return ""

    run_stages([Stage("a", meet), Stage("b", meet)], Recorder(), threading.Event())


def test_a_failure_ends_the_waits_of_others_and_is_what_is_raised() -> None:
    cancelled = threading.Event()
    waiting = threading.Event()

    def fail() -> str:
        waiting.wait(10)
        raise RefusedError("The disk is full.")

    def wait() -> str:
        waiting.set()
        wait_until("kafka does not answer", lambda: False, timeout_s=30, cancelled=cancelled)
        return ""

    recorder = Recorder()
    stages = [
        Stage("kafka", wait),
        Stage("disk", fail),
        Stage("topics", lambda: "", after=("kafka",)),
    ]
    with pytest.raises(RefusedError, match="The disk is full"):
        run_stages(stages, recorder, cancelled)
    assert "topics started" not in recorder.lines


def test_a_server_that_does_not_answer_becomes_a_sentence() -> None:
    def fail() -> str:
        raise ConnectionRefusedError(111, "Connection refused")

    with pytest.raises(StageError, match=r"^schemas: Connection refused\.$"):
        run_stages([Stage("schemas", fail)], Recorder(), threading.Event())


def test_a_fault_of_the_program_stays_what_it_is() -> None:
    def fail() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run_stages([Stage("schemas", fail)], Recorder(), threading.Event())


@pytest.mark.parametrize("after", ["kafak", "topics"])
def test_a_stage_that_waits_for_what_is_not_there_is_refused(after: str) -> None:
    stages = [Stage("kafka", lambda: ""), Stage("topics", lambda: "", after=(after,))]
    with pytest.raises(StageError, match=f"topics waits for {after}"):
        run_stages(stages, Recorder(), threading.Event())


def test_waiting_ends_with_the_fact() -> None:
    answers = iter([False, False, True])
    assert wait_until("nothing comes", lambda: next(answers), timeout_s=10, interval_s=0.001) < 10


def test_waiting_ends_with_the_time() -> None:
    with pytest.raises(ProbeTimeoutError, match=r"^After 0 s kafka does not answer\.$"):
        wait_until("kafka does not answer", lambda: False, timeout_s=0, interval_s=0.001)


@pytest.mark.parametrize("busy", [1, 100])
def test_a_second_counts_for_less_when_more_want_to_run_than_can(
    busy: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    load = float(busy * (os.cpu_count() or 1))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))
    answers = iter([False] * 20 + [True])
    late = nullcontext() if busy > 1 else pytest.raises(ProbeTimeoutError)
    with late:
        wait_until("kafka does not answer", lambda: next(answers), timeout_s=0.5, interval_s=0.05)


def test_waiting_can_be_cancelled() -> None:
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(CancelledError):
        wait_until("kafka does not answer", lambda: False, timeout_s=10, cancelled=cancelled)
