"""What an administrator does to the replication slot by mistake, or Postgres by itself."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from infra.capture import slot
from infra.local.probe import wait_until
from infra.services import SUPERUSER
from tests.stack import RunningStack

SLOT = "tailrace_outbox"
TIMEOUT_S = 60.0
CHUNK = 2**20


def as_superuser(stack: RunningStack, query: str, *values: object) -> list[tuple[Any, ...]]:
    """Run a statement as the superuser, and return its rows."""
    url = stack.database_url(SUPERUSER)
    with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
        cursor = connection.execute(query.encode(), values or None)
        return cursor.fetchall() if cursor.description else []


def drop(stack: RunningStack, name: str = SLOT) -> None:
    """Drop a slot under the hands of its reader."""

    def dropped() -> bool:
        as_superuser(
            stack,
            "select pg_terminate_backend(active_pid) from pg_replication_slots where slot_name = %s and active",
            name,
        )
        try:
            as_superuser(stack, "select pg_drop_replication_slot(%s)", name)
        except psycopg.errors.ObjectInUse:
            return False
        return True

    wait_until("the slot cannot be dropped", dropped, timeout_s=TIMEOUT_S, interval_s=0.05)


def move_to_end(stack: RunningStack) -> None:
    """Move the slot past everything that was written; nobody may read it."""
    as_superuser(stack, "select pg_replication_slot_advance(%s, pg_current_wal_lsn())", SLOT)


def write_wal(stack: RunningStack, megabytes: int) -> None:
    """Have Postgres write WAL that is of no interest to the connector."""
    as_superuser(
        stack,
        "select count(pg_logical_emit_message(false, 'foreign', repeat('x', %s))) from generate_series(1, %s)",
        CHUNK,
        megabytes,
    )


@contextmanager
def limited(stack: RunningStack, size: str) -> Iterator[None]:
    """Have slots hold back no more than so much WAL, while the block runs."""
    as_superuser(stack, f"alter system set max_slot_wal_keep_size = '{size}'")
    as_superuser(stack, "select pg_reload_conf()")
    try:
        yield
    finally:
        as_superuser(stack, "alter system reset max_slot_wal_keep_size")
        as_superuser(stack, "select pg_reload_conf()")


def overrun(stack: RunningStack, megabytes: int) -> None:
    """Write WAL until Postgres has given up the slot, which nobody may read."""

    def lost() -> bool:
        write_wal(stack, megabytes)
        as_superuser(stack, "checkpoint")
        held = slot(stack.deployment.shards[0])
        return held is not None and held.is_lost

    wait_until("the slot is not lost", lost, timeout_s=TIMEOUT_S)


def verify(stack: RunningStack, topic: str, *arguments: str) -> dict[str, Any]:
    """Return what `outbox verify` says of a topic."""
    result = stack.cli("outbox", "verify", "--topic", topic, "--json", *arguments, check=False)
    assert result.stdout, result.stderr
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.returncode == (0 if report["ok"] else 1)
    return report


def recover(stack: RunningStack, *arguments: str) -> dict[str, Any]:
    """Recover the slot, and return what that says."""
    result = stack.cli("connector", "recover", "--yes", "--json", *arguments, check=False)
    assert result.stdout, result.stderr
    recovered: dict[str, Any] = json.loads(result.stdout)
    assert result.returncode == (0 if recovered["running"] else 1)
    return recovered


def mend(stack: RunningStack) -> None:
    """Leave slot and connector whole, whatever was broken."""
    stack.cli("connector", "recover", "--yes", check=False)
    stack.cli("connector", "apply")
