"""Version 1 of loyalty by gRPC."""

from typing import Any

import grpc

from cdc.database import Pool, borrow
from producers.grpc.errors import RefusedError
from producers.loyalty import handlers
from producers.loyalty.domain import Account, Tier
from schemas.customers import user_id_in
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import LoyaltyServiceServicer

TIERS = {
    Tier.STANDARD: loyalty.TIER_STANDARD,
    Tier.SILVER: loyalty.TIER_SILVER,
    Tier.GOLD: loyalty.TIER_GOLD,
    Tier.PLATINUM: loyalty.TIER_PLATINUM,
}


class LoyaltyService(LoyaltyServiceServicer):
    """Answers questions about the loyalty programme."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def GetTier(
        self, request: loyalty.GetTierRequest, context: Any
    ) -> loyalty.GetTierResponse:
        account = await self._account(request.user_id)
        return loyalty.GetTierResponse(tier=TIERS[account.tier])

    async def GetAccount(
        self, request: loyalty.GetAccountRequest, context: Any
    ) -> loyalty.GetAccountResponse:
        account = await self._account(request.user_id)
        return loyalty.GetAccountResponse(
            account=loyalty.Account(
                user_id=str(account.user_id),
                points=account.points,
                tier=TIERS[account.tier],
                updated_at=account.updated_at,
            )
        )

    async def _account(self, text: str) -> Account:
        if not text:
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT, "user_id is empty; say which user is meant"
            )
        account = None
        if (user_id := user_id_in(text)) is not None:
            async with borrow(self._pool) as connection:
                account = await handlers.find(user_id, connection)
        if account is None:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, "no user has this id")
        return account
