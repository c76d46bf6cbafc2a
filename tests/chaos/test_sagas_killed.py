"""Whoever takes part in a saga killed in the middle of it: every order ends, and the books balance."""

import psycopg
import pytest

from tests.again import show
from tests.faults.plan import Fault, Kind, Step
from tests.faults.run import conduct
from tests.faults.verdict import by_command
from tests.stack import RunningStack
from tests.workers.chance import make_chance, tell

ORDERS_PER_S = 10
KILLED = (
    ("fulfilment-worker",),
    ("payments-worker", "inventory-worker"),
    ("shipping-worker", "fulfilment-worker"),
    ("connect",),
    ("kafka",),
)
ENDS = "select status, count(*) from saga_instance group by status"
NOTED = "select what, count(*) from saga_log group by what"


@pytest.mark.alone
def test_whoever_is_killed_in_the_middle_of_it_every_saga_ends(stack: RunningStack) -> None:
    before = counts(stack, ENDS)
    steps = [Step(tuple(Fault(Kind.KILL, part) for part in parts), 1.0) for parts in KILLED]
    seed = make_chance().randrange(2**32)
    run = conduct(stack, steps, per_s=ORDERS_PER_S, seed=seed, say=tell)
    assert list(run.verdict.sentences()) == []
    assert run.standstills == []
    ended = {status: count - before.get(status, 0) for status, count in counts(stack, ENDS).items()}
    tell(f"sagas: {ended}; noted: {counts(stack, NOTED)}; {run.duplicates} duplicates dropped")
    assert sum(ended.values()) == len(by_command(run.account))
    show(ended["completed"], "nothing was completed")
    show(ended["compensated"], "nothing was undone")
    show(run.duplicates + run.account.copies, "nothing came twice")


def counts(stack: RunningStack, query: str) -> dict[str, int]:
    with psycopg.connect(stack.database_url("fulfilment")) as connection:
        return dict(connection.execute(query.encode()).fetchall())
