"""What operators see of the locks of sagas, at all participants."""

from cdc.database import connect
from consumers.runtime.locking.reading import Locked, read_locks
from infra.deployment import Deployment
from infra.services import SERVICES


def locks(deployment: Deployment, limit: int) -> list[Locked]:
    """Return what sagas have locked, and who waits for it; those first for which most wait."""
    roles = dict.fromkeys(each.role for each in SERVICES if each.is_consumer and each.role)
    found: list[Locked] = []
    for role in roles:
        with connect(deployment.database_url(role), autocommit=True) as connection:
            found += read_locks(connection, limit)
    return sorted(found, key=lambda each: -each.waiting)[:limit]
