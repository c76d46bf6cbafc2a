"""Taking parked messages out for good."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from consumers.runtime.parked.acting import Actions, Audit, Done, busy
from infra.deployment import Deployment
from infra.operations.parked.messages import Approve, Selected, Target, open_parked


@dataclass(frozen=True, slots=True)
class SkipResult:
    """How many messages were skipped, had left by themselves, and were held by a worker."""

    skipped: int
    gone: int
    busy: int


def skip(deployment: Deployment, target: Target, by: Audit, approve: Approve) -> SkipResult:
    """Skip messages; they are kept on record. BusyError when a worker holds the one that was named."""
    with open_parked(deployment, target.selection.consumer) as schemas:
        selected = target.find(schemas)
        if len(selected) > 1:
            approve([each.message for each in selected])
        outcomes = _skip(selected, by)
    if target.place and outcomes[0] == "busy":
        raise busy(selected[0].message)
    return SkipResult(*(outcomes.count(each) for each in ("done", "gone", "busy")))


def _skip(selected: Sequence[Selected], by: Audit) -> list[Done]:
    """Skip messages, those of one sequence together."""
    sequences: defaultdict[tuple[int, int], list[Selected]] = defaultdict(list)
    for each in selected:
        sequences[id(each.schema), each.message.sequence_id].append(each)
    return [
        outcome
        for together in sequences.values()
        for outcome in Actions(together[0].schema.connection, by).skip(
            [each.message for each in together]
        )
    ]
