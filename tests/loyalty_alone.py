"""The gRPC door of loyalty without a database: `python -m tests.loyalty_alone`, with the environment of a service."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from cdc import logs
from cdc.service import load, start
from producers.discovery.registration import registration_of
from producers.grpc.server import Offered, run
from producers.rest.settings import ServiceSettings
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import add_LoyaltyServiceServicer_to_server
from tests.rpc import LOYALTY, Loyalty

MODULE = "tests.loyalty_alone"


@asynccontextmanager
async def open_service() -> AsyncIterator[Sequence[Offered]]:
    yield [Offered(LOYALTY, Loyalty(), add_LoyaltyServiceServicer_to_server)]


def main() -> int:
    settings = load(ServiceSettings)
    logs.configure("loyalty")
    registration = start(
        lambda: registration_of("loyalty", settings, host=settings.host, port=settings.port)
    )
    return run(open_service(), settings, registration)


if __name__ == "__main__":
    sys.exit(main())
