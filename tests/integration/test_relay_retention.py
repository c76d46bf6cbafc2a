"""Days of messages that the relay publishes are dropped when its snapshots have seen all that was written into them."""

from contextlib import closing

from infra.local.probe import wait_until
from tests.relays.world import World, open_world
from tests.stack import RunningStack

UNPUBLISHED = "select outbox_unpublished(%s, '0/0', %s::text::xid8)"


def why(world: World, relay: str, transaction: str) -> str | None:
    """Return why the relay may not have published what transactions before this one have written."""
    with world.connect() as connection:
        [[reason]] = connection.execute(UNPUBLISHED, [f"relay:{relay}", transaction]).fetchall()
    return None if reason is None else str(reason)


def test_a_relay_has_published_what_its_snapshots_have_seen(stack: RunningStack) -> None:
    with open_world(stack) as world:
        with closing(world.connect()) as connection:
            world.canaries.append(connection, "a", after_version=0)
            connection.commit()
            [[after]] = connection.execute(
                "select pg_snapshot_xmax(pg_current_snapshot())::text"
            ).fetchall()
        reason = why(world, world.progress, after)
        assert reason is not None
        assert f"has to come to transaction {after} with 16 of 16 shards" in reason
        world.start()
        wait_until(
            "the relay does not come so far",
            lambda: why(world, world.progress, after) is None,
            timeout_s=30,
        )
        future = str(int(after) + 1_000_000)
        assert "has to come to" in (why(world, world.progress, future) or "")


def test_a_relay_that_was_not_given_the_outbox_has_published_nothing(stack: RunningStack) -> None:
    with open_world(stack) as world:
        with world.connect() as connection:
            connection.execute(f"delete from {world.progress}.progress".encode())
        assert why(world, world.progress, "5") == "the relay has not begun to publish it"
