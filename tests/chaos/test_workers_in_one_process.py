"""Consumers that share a process: what one of them does to the others is a restart, and nothing is lost or repeated."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import make_conninfo

from tests.again import show
from tests.kafka import ends_of
from tests.link import Link
from tests.stack import RunningStack
from tests.workers import ledger
from tests.workers.chance import tell
from tests.workers.fleet import ROLE
from tests.workers.ledger import Kind, Trouble, troubles
from tests.workers.trial import Trial, open_trial

STALL_S = 8
"""More than a machine that is busy with other tests takes for anything that a worker does."""
ENDING_S = 60
AWAY_S = 40
"""Longer than the pool waits for its first connection when it is told to, which is half a minute."""
NAMES = ("first", "second", "third")
EVENTS = 60


@contextmanager
def open_trials(stack: RunningStack, directory: Path) -> Iterator[list[Trial]]:
    """Make three consumers with a topic each; the fleet of the first runs them all in one process."""
    for name in NAMES:
        (directory / name).mkdir()
    with (
        open_trial(stack, directory / "first", keys=3) as first,
        open_trial(stack, directory / "second", keys=3) as second,
        open_trial(stack, directory / "third", keys=3) as third,
    ):
        yield [first, second, third]


def together(trials: list[Trial]) -> dict[str, str]:
    """Return the variables with which a worker of the first fleet runs the consumers of all."""
    told = {ledger.TOGETHER: json.dumps(NAMES)}
    for name, trial in zip(NAMES, trials, strict=True):
        told |= trial.fleet.own_variables(name)
    return told


def assert_all_applied_once(trials: list[Trial]) -> None:
    """Wait until every consumer has come to the end of its topic, and compare effects with what was sent."""
    trials[0].fleet.wait_until(
        "not every consumer has come to the end",
        lambda: all(trial.positions() == ends_of(trial.stack, trial.topic) for trial in trials),
    )
    for name, trial in zip(NAMES, trials, strict=True):
        trial.assert_each_once_in_order()
        tell(f"{name}: {trial.duplicates()} deliveries dropped as their effect existed")


def test_a_handler_that_blocks_for_good_ends_the_process_and_is_named(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trials(stack, tmp_path) as trials:
        first, second, third = trials
        stuck, *others = second.load.new(EVENTS)
        told = together(trials) | {
            f"TAILRACE_SECOND_{name.removeprefix('TAILRACE_')}": value
            for name, value in troubles({stuck.message_id: Trouble(Kind.BLOCK, times=1)}).items()
        }
        [process] = first.fleet.start(**told, TAILRACE_STALL_S=str(STALL_S))
        first.load.send(EVENTS)
        first.wait_effects(EVENTS)
        second.load.send([stuck, *others])
        first.fleet.wait_until("it is not stuck", lambda: stuck.message_id in second.calls())
        third.load.send(EVENTS)
        first.fleet.wait_until(
            "it still stands still",
            lambda: bool(first.fleet.stalls),
            timeout_s=STALL_S + ENDING_S,
        )
        assert first.fleet.stalls == [process]
        [ending] = [line for line in process.log().splitlines() if "ending, to be started" in line]
        assert "_misbehave" in ending, "it does not tell who holds up the event loop"
        first.load.send(EVENTS)
        assert_all_applied_once(trials)
        assert second.calls()[stuck.message_id] == 2


def test_a_handler_that_awaits_for_good_is_called_again_and_ends_nobody(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trials(stack, tmp_path) as trials:
        first, second, third = trials
        stuck, *others = second.load.new(EVENTS)
        told = together(trials) | {
            f"TAILRACE_SECOND_{name.removeprefix('TAILRACE_')}": value
            for name, value in troubles({stuck.message_id: Trouble(Kind.HANG, times=1)}).items()
        }
        first.fleet.start(**told, TAILRACE_STALL_S=str(STALL_S))
        second.load.send([stuck, *others])
        first.fleet.wait_until("it is not stuck", lambda: stuck.message_id in second.calls())
        first.load.send(EVENTS)
        third.load.send(EVENTS)
        assert_all_applied_once(trials)
        assert second.calls()[stuck.message_id] == 2
        assert not first.fleet.stalls


def test_who_starts_while_its_database_is_away_waits_for_it_and_holds_up_nobody(
    stack: RunningStack, tmp_path: Path
) -> None:
    with (
        open_trials(stack, tmp_path) as trials,
        Link(stack.settings.postgres_port).running() as postgres,
    ):
        first, second, third = trials
        url = make_conninfo(stack.database_url(ROLE), port=postgres.port)
        told = together(trials) | {"TAILRACE_SECOND_DATABASE_URL": url}
        with postgres.cut():
            process = first.fleet.launch(**told, TAILRACE_STALL_S=str(STALL_S))
            first.fleet.workers.append(process)
            ended = time.monotonic() + AWAY_S
            for trial in trials:
                trial.load.send(EVENTS)
            first.wait_effects(EVENTS)
            first.fleet.wait_until("time stands still", lambda: time.monotonic() > ended)
            third.load.send(EVENTS)
            third.wait_effects(2 * EVENTS)
            assert "worker waits for its database" in process.log()
            assert not second.effects()
        assert_all_applied_once(trials)
        assert not first.fleet.stalls


def test_a_killed_process_brings_all_its_consumers_back(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trials(stack, tmp_path) as trials:
        first, *_ = trials
        [process] = first.fleet.start(**together(trials), TAILRACE_LEDGER_DELAY_S="0.01")
        for trial in trials:
            trial.load.send(10 * EVENTS)
        first.fleet.wait_until(
            "they are not all at work", lambda: all(trial.effects() for trial in trials)
        )
        process.kill()
        show(any(trial.effects() < 10 * EVENTS for trial in trials), "it was killed too late")
        first.fleet.replace(process)
        assert_all_applied_once(trials)


def test_a_process_that_is_asked_to_ends_with_what_its_consumers_have_begun(
    stack: RunningStack, tmp_path: Path
) -> None:
    with open_trials(stack, tmp_path) as trials:
        first, *_ = trials
        [process] = first.fleet.start(**together(trials), TAILRACE_LEDGER_DELAY_S="0.01")
        for trial in trials:
            trial.load.send(10 * EVENTS)
        first.fleet.wait_until(
            "they are not all at work", lambda: all(trial.effects() for trial in trials)
        )
        assert first.fleet.stop(process) == 0
        for trial in trials:
            assert f"service={trial.consumer} " in process.log()
            assert not trial.fleet.group().members, "it has not left its group"
        first.fleet.start(**process.environment)
        assert_all_applied_once(trials)
        assert not sum(trial.duplicates() for trial in trials)
