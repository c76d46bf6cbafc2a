"""Changing the number of shards of a database while its outboxes are written to.

In one transaction, with no row being written at that moment, the publications get the filters of the new number. So
each row is of before, and goes the old way, or of after, and goes the new. What remains is that the new way waits for
the old one (`settling`). Where there is one connector before or after, one side can wait for the other; from several
to several it goes by way of one.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from psycopg import sql
from psycopg.errors import DeadlockDetected, LockNotAvailable

from cdc import connector
from cdc.database import SyncConnection, connect, is_alone
from cdc.publication import PARAMETERS, published
from cdc.recovery.slot import SlotError, make
from infra.capture import apply_connector, in_the_way
from infra.deployment import Capture, Deployment, Shard
from infra.pipeline import send_canary_by
from infra.publishing import require_connector
from infra.services import CAPTURE, OWNER
from infra.sharding.marks import Dealt, ShardsError, dealt, mark
from infra.sharding.settling import remove, settle

NOTHING = "false"
"""The row filter of a publication that is to carry something later, or did so before."""
LOCK_S = 1.0
"""How long one who writes to an outbox is waited for: all who write to it later wait behind."""
PATIENCE_S = 120.0
"""How long a moment is looked for in which nobody writes to any."""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a capture."""

    capture: str
    before: int
    after: int
    seconds: float


def reshard(deployment: Deployment, tell: Tell) -> list[Change]:
    """Have each database captured by as many connectors as the settings say; may be repeated.

    Args:
        tell: Called with a line about each step.
    """
    require_connector(deployment)
    with _alone(deployment.main):
        done = [_reshard(deployment, each, tell) for each in deployment.captures]
    return [each for each in done if each is not None]


@contextmanager
def _alone(capture: Capture) -> Iterator[None]:
    with connect(capture.url(OWNER), autocommit=True) as connection:
        if not is_alone(connection, "tailrace connector reshard"):
            raise ShardsError("Another command changes the number of shards: wait for it.")
        yield


def _reshard(deployment: Deployment, capture: Capture, tell: Tell) -> Change | None:
    begun, found = time.monotonic(), dealt(capture)
    if found is None or found == Dealt(capture.shard_count):
        return None
    before = found.were or found.count
    if not found.is_settled:
        at_hand = replace(capture, shard_count=found.count)
        tell(f"{capture.name}: a change from {before} to {found.count} goes on")
        settle(deployment, at_hand)
        _apply(deployment, at_hand)
    count = found.count
    for wanted in (1, capture.shard_count):
        if count != wanted and 1 in {count, wanted}:
            _change(deployment, replace(capture, shard_count=count), wanted, tell)
            count = wanted
    return Change(capture.name, before, count, round(time.monotonic() - begun, 3))


def _change(deployment: Deployment, old: Capture, count: int, tell: Tell) -> None:
    """Change the number from one to several, or from several to one."""
    new = replace(old, shard_count=count)
    for each in old.shards:
        apply_connector(deployment, each)  # an attempt that was killed may have stopped it
        if obstacles := in_the_way(deployment, each):
            raise ShardsError(
                f"Nothing was changed, as {each.connector} stands still: {obstacles[0].told}; {obstacles[0].remedy}."
            )
    if count == 1:
        _join(deployment, old, new)
    else:
        _split(deployment, old, new)
    tell(f"{old.name}: rows go to {count} from now on, and what was written before is waited for")
    settle(deployment, new)
    _apply(deployment, new)
    tell(f"{old.name}: {count} run")


def _split(deployment: Deployment, old: Capture, new: Capture) -> None:
    """Have further slots begin before the moment from which they deliver anything."""
    for each in new.shards[1:]:
        remove(deployment, each)  # of an attempt that came to no end
        with connect(new.url(OWNER)) as connection:
            _publish(connection, each, NOTHING)
        try:
            make(new.url(CAPTURE), each.slot)
        except SlotError as error:
            raise ShardsError(f"Nothing was changed: {error}.") from error
    filters = [(each, each.keys.row_filter) for each in new.shards]
    _switch(new, filters, old.shard_count)


def _join(deployment: Deployment, old: Capture, new: Capture) -> None:
    """Have the first connector wait while the others bring their last rows to Kafka."""
    [first] = new.shards
    connector.stop(deployment.connect_url, first.connector)
    try:
        others = [(each, NOTHING) for each in old.shards[1:]]
        _switch(new, [(first, None), *others], old.shard_count)
    except BaseException:
        apply_connector(deployment, old.shards[0])
        raise


def _switch(capture: Capture, filters: Sequence[tuple[Shard, str | None]], were: int) -> None:
    """Change the row filters of publications at one moment, at which nobody writes to an outbox."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with connect(capture.url(OWNER), {"lock_timeout": f"{LOCK_S}s"}) as connection:
                for schema in capture.outboxes:
                    table = sql.Identifier(schema, "outbox")
                    connection.execute(sql.SQL("lock table {} in share mode").format(table))
                # whoever has written to one has committed before this
                [[end]] = connection.execute("select pg_current_wal_insert_lsn()::text").fetchall()
                for shard, row_filter in filters:
                    _publish(connection, shard, row_filter)
                mark(connection, Dealt(capture.shard_count, were, end))
        except (DeadlockDetected, LockNotAvailable) as error:
            if time.monotonic() > deadline:
                raise ShardsError(
                    f"For {PATIENCE_S:g} s there was always a transaction under way that had written to an outbox of "
                    f"{capture.database.name}, and nothing was changed: end those that last (pg_stat_activity shows "
                    "them), then try again."
                ) from error
            time.sleep(random.uniform(0, LOCK_S))  # noqa: S311 - so that writers come to their turn
        else:
            return


def _publish(connection: SyncConnection, shard: Shard, row_filter: str | None) -> None:
    """Have a publication carry some rows of each outbox; it is made when it is missing."""
    tables = sql.SQL(", ").join(
        published(sql.Identifier(schema, "outbox"), row_filter) for schema in shard.capture.outboxes
    )
    query = "select from pg_publication where pubname = %s"
    statement = (
        sql.SQL("alter publication {} set table {}")
        if connection.execute(query, [shard.publication]).fetchone() is not None
        else sql.SQL("create publication {} for table {} with ({})")
    )
    connection.execute(
        statement.format(sql.Identifier(shard.publication), tables, sql.SQL(PARAMETERS))
    )


def _apply(deployment: Deployment, capture: Capture) -> None:
    for each in capture.shards:
        apply_connector(deployment, each)
    for each in capture.shards:
        send_canary_by(deployment, each)
