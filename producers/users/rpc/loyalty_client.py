"""Client of loyalty: which tier a user has."""

from uuid import UUID

import grpc

from cdc.deadline import DeadlineExceededError
from cdc.logs import FieldLogger
from producers.grpc.client import Channel
from schemas.rpc.loyalty.v1.loyalty_pb2 import GetTierRequest, Tier
from schemas.rpc.loyalty.v1.loyalty_pb2_grpc import LoyaltyServiceStub

log = FieldLogger(__name__)


class LoyaltyClient:
    """Asks loyalty."""

    def __init__(self, channel: Channel) -> None:
        self._stub = LoyaltyServiceStub(channel)

    async def tier(self, user_id: UUID) -> Tier | None:
        """Return the tier of a user that there is; None when loyalty does not say it in time."""
        try:
            question = GetTierRequest(user_id=str(user_id))
            answer = await self._stub.GetTier(question, is_read=True)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:  # it has not heard of the sign-up yet
                return Tier.TIER_STANDARD
            log.warning("answered without a tier", because=error.code().name)
            return None
        except DeadlineExceededError as error:
            log.warning("answered without a tier", because=error)
            return None
        tier: Tier = answer.tier
        return tier
