"""Bringing a change of the number of shards to its end, once the publications say the new number.

From that moment in the WAL on each row goes by the new number. A connector that has got keys from others must publish
none of these rows before all from before that moment are in Kafka: of a key, newer ones would overtake older ones.
"""

import time
from collections.abc import Sequence
from dataclasses import replace

from psycopg import sql

from cdc import connector
from cdc.database import connect
from cdc.recovery.slot import drop
from infra.capture import LostSlotError, apply_connector, examine, has_passed
from infra.deployment import Capture, Deployment, Shard
from infra.services import CAPTURE, OWNER
from infra.sharding.marks import Dealt, ShardsError, dealt, mark

DRAINED_S = 120.0
LOOK_EVERY_S = 0.1


def settle(deployment: Deployment, capture: Capture) -> None:
    """Come to the end of a change that was begun, if one was; connectors of the new number may all run afterwards."""
    found = dealt(capture)
    if found is None or found.is_settled:
        return
    first, *others = found.before(capture).shards
    if found.until:
        # one alone gives keys away, and keeps none back; several give theirs to one, which does not run before
        leaving = others or [first]
        for each in leaving:
            _require_slot(deployment, each)
            apply_connector(deployment, each)
        _wait_until_passed(deployment, leaving, found.until)
    conclude(deployment, capture, found)


def conclude(deployment: Deployment, capture: Capture, found: Dealt) -> None:
    """Take away what is of no use any more, once all of it is in Kafka."""
    if found.until:
        _note(capture, replace(found, until=None))
    for each in found.before(capture).shards[found.count :]:
        remove(deployment, each)
    _note(capture, Dealt(found.count))


def remove(deployment: Deployment, shard: Shard) -> None:
    """Remove connector, slot and publication of a shard, whichever of them there are."""
    url, name = deployment.connect_url, shard.connector
    if connector.show(url, name) is not None:
        connector.stop(url, name)
        connector.forget_position(url, name)  # one of the same name begins anew some day
        connector.delete(url, name)
    drop(shard.capture.url(CAPTURE), shard.slot)
    with connect(shard.capture.url(OWNER)) as connection:
        statement = sql.SQL("drop publication if exists {}")
        connection.execute(statement.format(sql.Identifier(shard.publication)))


def _wait_until_passed(deployment: Deployment, shards: Sequence[Shard], until: str) -> None:
    deadline = time.monotonic() + DRAINED_S
    while waiting := [each for each in shards if not has_passed(each, until)]:
        for each in waiting:
            _require_slot(deployment, each)
        if time.monotonic() > deadline:
            raise ShardsError(
                f"After {DRAINED_S:g} s {waiting[0].connector} has not published all from before the number of shards "
                "was changed: see `tailrace connector status`, then run `tailrace connector reshard` again, which goes "
                "on."
            )
        time.sleep(LOOK_EVERY_S)


def _require_slot(deployment: Deployment, shard: Shard) -> None:
    """Refuse to wait for a slot that will never come so far."""
    diagnosis = examine(deployment, shard)
    if diagnosis.ailment:
        raise LostSlotError(
            f"The number of shards was being changed, and rows from before would be lost: {diagnosis.told}. Run "
            f"`tailrace connector recover --capture {shard.capture.name} --force`, then `make up` or `tailrace "
            "connector reshard` again, which goes on."
        )


def _note(capture: Capture, found: Dealt) -> None:
    with connect(capture.url(OWNER)) as connection:
        mark(connection, found)
