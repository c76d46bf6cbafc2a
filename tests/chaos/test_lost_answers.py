"""Orders whose answers are lost, as the storefront or orders is killed under load: each is placed once, and told of."""

import signal
import time
from functools import partial

from infra.local.probe import wait_until
from schemas.rest.orders.v2 import Order
from tests.again import show
from tests.faults.account import account, before
from tests.faults.load import Load, unanswered
from tests.faults.verdict import judge
from tests.faults.watch import connect, watching
from tests.stack import RunningStack
from tests.workers.chance import tell

ORDERS_PER_S = 10
AT_ONCE = 5
PATIENCE_S = 60
WAITING = "select from pg_locks where not granted and relation = 'orders.customer_order'::regclass"


def flows(load: Load, since: float) -> bool:
    return any(sent.complete_at for sent in load.since(since))


def kill_the_storefront_between_commit_and_answer(stack: RunningStack) -> int:
    """Have orders commit while the storefront is frozen, then kill that; return of how many the answer was lost."""
    with connect(stack) as orders:

        def placed() -> int:
            [[count]] = orders.execute("select count(*) from orders.customer_order")
            return int(count)

        with orders.transaction():
            orders.execute("lock table orders.customer_order in exclusive mode")
            wait_until(
                "too few orders are on their way",
                lambda: orders.execute(WAITING).rowcount >= AT_ONCE,
                timeout_s=PATIENCE_S,
            )
            stack.kill("storefront", signal.SIGSTOP)
            then = placed()
        wait_until("none is committed", lambda: placed() > then, timeout_s=PATIENCE_S)
        stack.kill("storefront")
        return placed() - then


def test_an_order_whose_answer_was_lost_is_sent_again_and_placed_once(stack: RunningStack) -> None:
    load = Load(stack.settings.url_of("storefront"), per_s=ORDERS_PER_S)
    since = before(stack)
    lost = 0
    with watching(stack, load):
        with load.flowing():
            for _ in range(2):
                for part in ("storefront", "orders"):
                    settled = partial(flows, load, time.monotonic())
                    wait_until("no order ends", settled, timeout_s=PATIENCE_S)
                    if part == "orders":
                        stack.kill("orders")
                    else:
                        lost += kill_the_storefront_between_commit_and_answer(stack)
        wait_until("orders do not end", lambda: not load.waiting, timeout_s=PATIENCE_S)
    found = account(stack, load, since)
    tell(f"{len(load.sent)} orders; {lost} answers lost for certain, {load.replayed} given again")
    assert list(judge(found).sentences()) == []
    show(lost, "no answer was lost")
    assert load.replayed >= lost
    assert unanswered(load.sent) == 0
    assert all(isinstance(sent.answer, Order) for sent in load.sent)
    assert len(found.statuses) == len(load.sent)
