"""Connections to the schemas of services, each as the role that works in it."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager

from cdc.database import SyncConnection, connect
from infra.deployment import Deployment
from infra.services import CONSUMER_ROLES, WORKERS


@contextmanager
def open_roles(deployment: Deployment, roles: Iterable[str]) -> Iterator[dict[str, SyncConnection]]:
    """Connect as each of some roles, in autocommit, until the block ends."""
    with ExitStack() as stack:
        yield {
            role: stack.enter_context(connect(deployment.database_url(role), autocommit=True))
            for role in roles
        }


def roles_of(consumer: str | None) -> tuple[str, ...]:
    """Return in whose schemas a consumer may have its tables: all when it is None, or unknown to this code."""
    own = tuple(each.role for each in WORKERS if each.name == consumer and each.role)
    return own or CONSUMER_ROLES
