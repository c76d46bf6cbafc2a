"""That the contract of the runtime would notice: what breaks it on purpose, and the case that sees it."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from consumers.runtime import processor, retries
from consumers.runtime.failures import Failure
from consumers.runtime.handlers import Handler
from consumers.runtime.received import Received
from consumers.testing import worker
from consumers.testing.memory_store import MemoryStore
from tests.rig import Rig, in_memory
from tests.runtime_contract import effects, failing, retrying, strange
from tests.runtime_contract.case import Case
from tests.unit.consumers import mutants
from tests.unit.consumers.mutants import MutantDatabase

STORES: dict[type[MemoryStore], Case] = {
    mutants.TakesWhatWasTaken: effects.a_message_sent_again_later_takes_effect_once,
    mutants.TakesRepetitionsInABatch: effects.a_message_twice_in_a_batch_takes_effect_once,
    mutants.SharesTheInbox: effects.consumers_do_not_take_each_others_messages,
    mutants.IgnoresTheFence: effects.a_lost_fence_leaves_nothing_and_calls_nobody,
    mutants.LeavesThePosition: effects.a_batch_takes_effect_and_moves_the_position,
    mutants.MovesBeforeTheCommit: failing.a_crash_before_the_commit_leaves_nothing,
    mutants.TakesBeforeTheCommit: failing.a_crash_before_the_commit_leaves_nothing,
    mutants.UndoesNothing: failing.a_message_that_fails_is_parked_and_others_go_on,
    mutants.CommitsWhatFailed: failing.a_transient_failure_ends_the_attempt_and_parks_nothing,
    mutants.CommitsWhatIsSpoilt: failing.a_handler_that_goes_on_after_a_failure_is_found_out,
    mutants.ForgetsToPark: strange.what_nobody_can_make_sense_of_is_parked,
    mutants.ParksAtTheFront: retrying.parked_messages_are_tried_again_in_their_order,
    mutants.HasOneLineForAll: failing.messages_without_a_key_wait_for_nobody,
    mutants.KnowsRecordsByOffsetAlone: (
        strange.in_a_topic_made_anew_another_message_at_an_offset_is_parked_too
    ),
    mutants.KnowsNoParkedKeys: failing.later_messages_of_its_key_wait_behind_it,
    mutants.ConfusesParkedKeys: effects.consumers_do_not_take_each_others_messages,
    mutants.TriesAtOnce: retrying.a_parked_message_is_not_tried_before_its_time,
    mutants.TriesDeadLetters: retrying.poison_is_a_dead_letter_at_once,
    mutants.TriesTheNewestFirst: retrying.what_waited_longest_is_tried_first,
    mutants.LosesCount: retrying.after_the_last_attempt_a_message_is_a_dead_letter_told_of_once,
    mutants.CountsOn: retrying.trying_again_stops_at_the_next_message_that_fails,
    mutants.UnparksAll: retrying.trying_again_stops_at_the_next_message_that_fails,
    mutants.UnparksNothing: retrying.parked_messages_are_tried_again_in_their_order,
    mutants.JudgesNobody: strange.what_cannot_be_told_apart_is_not_handled_when_its_turn_comes,
    mutants.SendsOutsideTheTransaction: failing.a_crash_before_the_commit_leaves_nothing,
}


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """See soon that attempts come to no end."""
    monkeypatch.setattr(worker, "MOST_RETRIES", 50)


def breaks(case: Case, store: type[MemoryStore]) -> bool:
    async def run() -> None:
        await case(await Rig(in_memory(MutantDatabase(store))).start())

    try:
        asyncio.run(run())
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - a case fails in whatever way it likes
        return True
    return False


@pytest.mark.parametrize(("store", "case"), STORES.items(), ids=lambda each: each.__name__)
def test_a_store_that_breaks_the_contract_is_noticed(store: type[MemoryStore], case: Case) -> None:
    assert not breaks(case, MemoryStore)
    assert breaks(case, store)


def one_by_one_backwards(batch: Sequence[Received[Any]]) -> Any:
    return [(None, list(batch)[::-1])]


def bulk_first(batch: Sequence[Received[Any]]) -> list[tuple[Handler | None, Any]]:
    bulk = [each for each in batch if each.handler is not None and each.handler.in_bulk]
    others = [each for each in batch if each not in bulk]
    return [(bulk[0].handler, bulk), (None, others)] if bulk else [(None, others)]


async def tell_nobody(*_: object, **__: object) -> None:
    """Do not announce a dead letter."""


def never(*_: object) -> bool:
    return False


def fails_without_blocking(attempt: Any, received: Received[Any], failure: Failure) -> None:
    attempt.failures[received.record.offset] = failure


RUNTIMES: list[tuple[object, str, Callable[..., Any], Case]] = [
    (
        processor,
        "grouped",
        one_by_one_backwards,
        failing.messages_of_a_key_are_handled_in_their_order_by_whichever_handler,
    ),
    (
        processor,
        "grouped",
        bulk_first,
        failing.messages_of_a_key_are_handled_in_their_order_by_whichever_handler,
    ),
    (
        processor,
        "_new_ones",
        lambda batch, _: batch,
        effects.a_message_twice_in_a_batch_takes_effect_once,
    ),
    (
        processor._Attempt,
        "fail",
        fails_without_blocking,
        failing.in_a_bulk_later_messages_of_a_key_wait_too,
    ),
    (
        processor,
        "is_transient",
        never,
        failing.a_transient_failure_ends_the_attempt_and_parks_nothing,
    ),
    (
        processor,
        "waits_without_end",
        never,
        failing.the_database_is_waited_for_without_patience_too,
    ),
    (
        retries,
        "waits_without_end",
        never,
        retrying.the_database_failing_in_an_attempt_changes_nothing,
    ),
    (
        retries.DeadLetters,
        "announce",
        tell_nobody,
        retrying.after_the_last_attempt_a_message_is_a_dead_letter_told_of_once,
    ),
]


@pytest.mark.parametrize(("where", "name", "mutant", "case"), RUNTIMES)
def test_a_runtime_that_breaks_the_contract_is_noticed(
    monkeypatch: pytest.MonkeyPatch,
    where: object,
    name: str,
    mutant: Callable[..., Any],
    case: Case,
) -> None:
    assert not breaks(case, MemoryStore)
    monkeypatch.setattr(where, name, mutant)
    assert breaks(case, MemoryStore)
