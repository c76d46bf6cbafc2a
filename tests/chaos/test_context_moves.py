"""A context moves to a database of its own while orders are placed: nothing is lost, repeated or reordered."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from time import monotonic
from typing import Any

import pytest

from cdc.database import connect
from infra.deployment import Capture
from infra.local.probe import wait_until
from infra.moving.marks import holders
from infra.moving.move import Move, plan
from infra.services import OWNER
from infra.settings import REPOSITORY
from tests.again import show
from tests.doctor import wait_until_well
from tests.faults.account import account, before
from tests.faults.load import Load, unanswered
from tests.faults.run import flowing
from tests.faults.verdict import judge
from tests.stack import RunningStack, make_directory, own_settings
from tests.workers.chance import tell

ORDERS_PER_S = 3
CONTEXT = "payments"
DATABASES = f"{CONTEXT}=ledger"
SLOTS = "select slot_name::text, database::text from pg_replication_slots where active"
OUTBOX = (
    "select id, seq, aggregate_id, aggregate_version, payload from payments.outbox order by seq"
)
MAY_CONNECT = "select has_database_privilege('payments', current_database(), 'connect')"
TABLES = "select relname from pg_class where relnamespace = 'payments'::regnamespace"
PUBLISHED = "select schemaname::text from pg_publication_tables"


@pytest.fixture
def own() -> Iterator[RunningStack]:
    directory = make_directory()
    stack = RunningStack(own_settings(directory / "home"))
    try:
        stack.cli("up", "--json")
        yield stack
    finally:
        stack.delete()
        shutil.rmtree(directory)


def test_a_context_moves_under_load(own: RunningStack) -> None:
    load = Load(own.settings.url_of("storefront"), per_s=ORDERS_PER_S)
    since = before(own)
    with flowing(own, load) as trial:
        name_the_database(own)
        refused = own.cli("up", check=False)
        assert refused.returncode == 1
        assert "`tailrace context move payments` brings it there" in refused.stderr
        assert all(part.is_running for part in own.status().values())
        a_move_is_killed_while_the_context_is_kept_out(own)
        at = monotonic()
        done = json.loads(own.cli("context", "move", CONTEXT, "--yes", "--json").stdout)
        flow = trial.wait_until_flowing_again(at, "the move")
    tell(
        f"closed for {done['closed_s']:.1f} s; an order that was placed after the command was complete after "
        f"{flow.flowing_s:.1f} s, all before it after {flow.drained_s:.1f} s"
    )
    show(done["rows"], "no message was compared")
    found = account(own, load, since)
    tell(f"{len(load.sent)} orders, {found.copies} records delivered more than once")
    assert list(judge(found).sentences()) == []
    assert unanswered(load.sent) == 0
    assert found.copies == 0, "rows were published by both connectors"
    what_was_there_is_in_the_new_database_and_grows_there(own)
    own.cli("outbox", "verify")
    wait_until_well(own)
    what_is_left_behind_can_be_dropped(own)
    the_settings_of_before_are_refused(own)


def name_the_database(stack: RunningStack) -> None:
    stack.settings = stack.settings.model_copy(update={"databases": DATABASES})
    stack.environment |= stack.settings.environment()


def a_move_is_killed_while_the_context_is_kept_out(stack: RunningStack) -> None:
    command = (sys.executable, "-m", "infra.cli", "context", "move", CONTEXT, "--yes")
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=stack.environment, stdout=subprocess.DEVNULL
    ) as moving:
        wait_until(
            "the context is not kept out",
            lambda: asked(stack.deployment.main, MAY_CONNECT) == [(False,)],
            timeout_s=60,
            interval_s=0.05,
        )
        moving.kill()
    [held] = holders(stack.deployment, (CONTEXT,))[CONTEXT]
    show(not held.is_moved, "the move was done before it was killed")


def what_was_there_is_in_the_new_database_and_grows_there(stack: RunningStack) -> None:
    old, new = stack.deployment.captures
    marks = {each.capture.name: each for each in holders(stack.deployment, (CONTEXT,))[CONTEXT]}
    assert marks[old.name].is_moved
    assert marks[new.name].mark == ""
    left, rows = asked(old, OUTBOX), asked(new, OUTBOX)
    show(len(left), "nothing was written before the move")
    show(len(rows) - len(left), "nothing was written after the move")
    assert rows[: len(left)] == left
    assert set(asked(stack.deployment.main, SLOTS)) == {
        ("tailrace_outbox", "tailrace"),
        ("tailrace_outbox_ledger", "ledger"),
    }
    assert (CONTEXT,) not in asked(old, PUBLISHED)
    assert set(asked(new, PUBLISHED)) == {(CONTEXT,), ("canary",)}


def what_is_left_behind_can_be_dropped(stack: RunningStack) -> None:
    deployment = stack.deployment
    again = Move(deployment, plan(deployment, CONTEXT), lambda _deployment, _capture: "")
    moved = again.prove(Silent(), drop=True)
    assert moved.rows > 0
    assert asked(deployment.main, TABLES) == []
    assert {
        each.capture.name: each.is_moved for each in holders(deployment, (CONTEXT,))[CONTEXT]
    } == {
        "main": True,
        "ledger": False,
    }


class Silent:
    """Takes reports and tells nobody."""

    def started(self, stage: str) -> None: ...

    def finished(self, stage: str, seconds: float, detail: str) -> None: ...


def the_settings_of_before_are_refused(stack: RunningStack) -> None:
    """What was left behind is never taken for the context again, nor is it begun anew elsewhere."""
    for databases, words in (
        ("", "was moved to ledger from the database tailrace"),
        ("payments=another", "was moved to ledger, and the settings give it another"),
    ):
        stack.environment["TAILRACE_DATABASES"] = databases
        refused = stack.cli("migrate", check=False)
        assert refused.returncode == 1
        assert words in refused.stderr


def asked(capture: Capture, query: str) -> list[Any]:
    with connect(capture.url(OWNER)) as connection:
        return connection.execute(query.encode()).fetchall()
