"""How `tailrace saga locks` tells of a target, who has it and who waits."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from consumers.runtime.locking.reading import SHOWN, Locked
from infra.cli.sagas import locked_line

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def line(**changes: Any) -> str:
    usual: dict[str, Any] = {
        "consumer": "payments-worker",
        "lock": "card",
        "target": "ada",
        "saga_id": "order-1",
        "replies_to": "fulfilment.replies",
        "locked_at": NOW - timedelta(seconds=7),
        "held_until": NOW + timedelta(hours=1),
        "waiting": 0,
        "waiting_since": None,
        "next_expires_at": None,
        "waiting_sagas": None,
    }
    return locked_line(Locked(**usual | changes), NOW)


def waiting(count: int) -> dict[str, Any]:
    sagas = [f"order-{number + 2}" for number in range(min(count, SHOWN))]
    return {"waiting": count, "waiting_since": NOW - timedelta(seconds=3), "waiting_sagas": sagas}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {},
            "payments-worker  card ada  held by order-1 (fulfilment.replies) since 7 s ago, until ",
        ),
        ({"replies_to": ""}, "held by order-1 since 7 s ago"),
        ({"target": "a\n\x1b[31m"}, "card a\\n\\x1b[31m  held"),
        (waiting(1), "; 1 command waiting, the first came 3 s ago: order-2"),
        (waiting(12), "; 12 commands waiting, the first came 3 s ago: order-2, order-3, "),
        (waiting(12), "order-11 and 2 more"),
        (
            {"saga_id": None, "locked_at": None, "held_until": None, **waiting(1)},
            "payments-worker  card ada  free; 1 command waiting",
        ),
    ],
)
def test_it_says_who_has_what_and_who_waits(changes: dict[str, Any], told: str) -> None:
    assert told in line(**changes)
