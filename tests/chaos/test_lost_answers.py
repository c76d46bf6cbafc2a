"""Orders whose answers are lost, as the storefront or orders is killed under load: each is placed once, and told of."""

import itertools
import time
from functools import partial

import pytest

from infra.local.probe import wait_until
from schemas.rest.orders.v2 import Order
from tests.faults.account import account, before
from tests.faults.load import Load, unanswered
from tests.faults.verdict import judge
from tests.faults.watch import watching
from tests.stack import RunningStack
from tests.workers.chance import tell

ORDERS_PER_S = 40
KILLS = 4
MOST_KILLS = 40


def flows(load: Load, since: float) -> bool:
    return any(sent.complete_at for sent in load.since(since))


@pytest.mark.alone
def test_an_order_whose_answer_was_lost_is_sent_again_and_placed_once(stack: RunningStack) -> None:
    load = Load(stack.settings.url_of("storefront"), per_s=ORDERS_PER_S)
    since = before(stack)
    with watching(stack, load):
        with load.flowing():
            for kills, part in enumerate(itertools.cycle(("orders", "storefront")), 1):
                wait_until("no order ends", partial(flows, load, time.monotonic()), timeout_s=60)
                stack.kill(part)
                if kills == MOST_KILLS or (kills >= KILLS and load.replayed):
                    break
        wait_until("orders do not end", lambda: not load.waiting, timeout_s=60)
    found = account(stack, load, since)
    tell(f"{len(load.sent)} orders, {load.replayed} placed when their answer was lost")
    assert list(judge(found).sentences()) == []
    assert load.replayed, "no answer was lost after its order had been placed, so nothing is shown"
    assert unanswered(load.sent) == 0
    assert all(isinstance(sent.answer, Order) for sent in load.sent)
    assert len(found.statuses) == len(load.sent)
