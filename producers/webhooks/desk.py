"""What the endpoints of this service need beside the database: what may be called, and what seals keys."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cached_property
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from cdc.context import MessageContext
from cdc.database import begin
from producers.rest.storage import Storage
from producers.webhooks.addresses import Policy
from producers.webhooks.sealing import Seal
from tailrace import RequestWork, UnitOfWork


class Desk:
    """Judges and seals.

    Args:
        policy: What may be called.
        seal: Reads the key that seals, when it is first needed: the API is described without one.
    """

    def __init__(self, policy: Policy, seal: Callable[[], Seal]) -> None:
        self.policy = policy
        self._seal = seal

    @cached_property
    def seal(self) -> Seal:
        return self._seal()


@asynccontextmanager
async def work_on_secrets(storage: Storage, context: MessageContext) -> AsyncIterator[UnitOfWork]:
    """Open the unit of work of a request whose answer tells a secret.

    An `Idempotency-Key` is passed over: under it the answer would be kept as it is.
    """
    async with storage.connection(begin) as connection:
        yield RequestWork(connection, storage.outbox, context)


async def _current(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


AtDesk = Annotated[Desk, Depends(_current)]  # endpoint parameter that receives it
