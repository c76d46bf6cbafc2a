"""The same answer over gRPC: `python -m tests.workers.answering_grpc`, with the environment of a gRPC service.

It is told as the points of an account, so that the classes are those that services of ours are called with.
"""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from cdc import logs
from cdc.database import Pool, open_pool
from cdc.service import load
from producers.discovery.registration import registration_of
from producers.grpc.server import Offered, run
from producers.grpc.storage import StorageSettings
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import (
    LoyaltyServiceServicer,
    add_LoyaltyServiceServicer_to_server,
)
from tests.rpc import LOYALTY
from tests.workers.answering import FIND
from tests.workers.answering_http import CONNECTIONS

MODULE = "tests.workers.answering_grpc"


class Amounts(LoyaltyServiceServicer):
    """Tells amounts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def GetAccount(  # noqa: N802  # as the proto has it
        self, request: loyalty.GetAccountRequest, context: Any
    ) -> loyalty.GetAccountResponse:
        async with self._pool.connection() as connection:
            found = await connection.execute(FIND, [request.user_id])
            [(amount, _)] = await found.fetchall()
        account = loyalty.Account(user_id=request.user_id, points=int(amount))
        return loyalty.GetAccountResponse(account=account)


@asynccontextmanager
async def open_service(settings: StorageSettings) -> AsyncIterator[Sequence[Offered]]:
    pool = open_pool(settings.database_url, max_size=CONNECTIONS, check=False, reads_only=True)
    async with pool:
        yield [Offered(LOYALTY, Amounts(pool), add_LoyaltyServiceServicer_to_server)]


if __name__ == "__main__":
    told = load(StorageSettings)
    logs.configure("answering-grpc")
    here = registration_of("answering", told, host=told.host, port=told.port)
    sys.exit(run(open_service(told), told, here))
