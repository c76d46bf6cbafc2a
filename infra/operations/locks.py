"""What operators see of the locks of sagas, at all participants, and do about them."""

from dataclasses import dataclass

from consumers.runtime.locking.reading import Locked, find_locked, read_locks, unlock
from infra.deployment import Deployment
from infra.errors import RequestError, TailraceError
from infra.role_access import open_roles
from infra.services import CONSUMER_ROLES


class NotLockedError(TailraceError):
    """No saga has what was to be freed, or it has changed hands meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlocked:
    """What was freed, and the number under which that is written down."""

    unlock_id: int
    locked: Locked  # as it was


def locks(deployment: Deployment, limit: int) -> list[Locked]:
    """Return what sagas have locked, and who waits for it; those first for which most wait."""
    with open_roles(deployment, CONSUMER_ROLES) as connections:
        found = [each for one in connections.values() for each in read_locks(one, limit)]
    return sorted(found, key=lambda each: -each.waiting)[:limit]


def find_lock(deployment: Deployment, lock: str, target: str, consumer: str | None) -> Locked:
    """Return a target that a saga has locked.

    Raises:
        NotLockedError: none has.
        RequestError: several consumers have one of that name.
    """
    with open_roles(deployment, CONSUMER_ROLES) as connections:
        found = [
            each
            for connection in connections.values()
            for each in find_locked(connection, lock, target)
            if consumer in {None, each.consumer}
        ]
    if not found:
        raise NotLockedError(
            f"No saga has locked {lock} {target}; `tailrace saga locks` shows what is locked."
        )
    if len(found) > 1:
        names = ", ".join(each.consumer for each in found)
        raise RequestError(f"{lock} {target} is locked at {names}; say with --consumer which one.")
    return found[0]


def free(deployment: Deployment, locked: Locked, *, actor: str, why: str) -> Unlocked:
    """Free what a saga has locked, for whoever waits for it.

    Raises:
        NotLockedError: that saga has it no more.
    """
    with open_roles(deployment, CONSUMER_ROLES) as connections:
        for connection in connections.values():
            if (unlock_id := unlock(connection, locked, actor=actor, why=why)) is not None:
                return Unlocked(unlock_id=unlock_id, locked=locked)
    raise NotLockedError(
        f"Saga {locked.saga_id} has {locked.lock} {locked.target} no more; nothing was done."
    )
