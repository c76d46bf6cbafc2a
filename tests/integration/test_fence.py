"""A context that is moved is kept out of its database, or the move is refused."""

from collections.abc import Iterator

import pytest

from cdc.database import connect
from infra.moving import fence
from infra.moving.fence import BusyError
from infra.services import SUPERUSER
from tests.slots import as_superuser
from tests.stack import RunningStack

CONTEXT = "payments"


@pytest.fixture
def let_in(stack: RunningStack) -> Iterator[None]:
    """Let the context in again, by what is its own alone."""
    yield
    as_superuser(stack, "revoke connect on database tailrace from public")
    as_superuser(stack, f"revoke analytics from {CONTEXT}")
    as_superuser(stack, f"alter role {CONTEXT} nosuperuser")
    fence.reopen(stack.deployment.main, CONTEXT)


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("grant connect on database tailrace to public", "revoke connect .* from public`"),
        (f"grant analytics to {CONTEXT}", "revoke connect .* from analytics`"),
        (f"alter role {CONTEXT} superuser", "as it is a superuser there"),
    ],
)
def test_a_context_that_may_connect_all_the_same_is_not_moved(
    stack: RunningStack, let_in: None, statement: str, why: str
) -> None:
    as_superuser(stack, statement)
    with pytest.raises(BusyError, match=why):
        fence.close(stack.deployment.main, CONTEXT)


def test_a_context_that_is_kept_out_does_not_come_back(stack: RunningStack, let_in: None) -> None:
    fence.close(stack.deployment.main, CONTEXT)
    with connect(stack.database_url(SUPERUSER)) as connection:
        assert connection.execute(fence.SESSIONS, [CONTEXT]).fetchall() == [(0,)]
    fence.reopen(stack.deployment.main, CONTEXT)
    with connect(stack.database_url(CONTEXT)) as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]
