"""Client of users: the tier that a customer has, who may be a user."""

from typing import Annotated

import grpc

from cdc.context import MessageContext
from cdc.deadline import DeadlineExceededError
from cdc.logs import FieldLogger
from producers.grpc.client import Channel
from producers.orders.domain import LOWEST_TIER, Standing
from producers.rest.state import of_state
from schemas.customers import user_id_in
from schemas.rpc.loyalty.v1 import loyalty_pb2 as loyalty
from schemas.rpc.users.v1.users_pb2 import GetUserRequest, User
from schemas.rpc.users.v1.users_pb2_grpc import UserServiceStub

TIERS = {
    loyalty.TIER_SILVER: "silver",
    loyalty.TIER_GOLD: "gold",
    loyalty.TIER_PLATINUM: "platinum",
}
"""Tiers above the lowest. What is not known here counts as the lowest, as the proto asks."""
FALLBACK = Standing(is_fallback=True)

log = FieldLogger(__name__)


class UsersClient:
    """Asks users; an order never fails for what they say, or do not say.

    Args:
        channel: Leads to users; None where nobody is asked.
    """

    def __init__(self, channel: Channel | None) -> None:
        self._stub = None if channel is None else UserServiceStub(channel)

    def asks_about(self, customer_id: str) -> bool:
        """Tell whether somebody is asked about a customer."""
        return self._stub is not None and user_id_in(customer_id) is not None

    async def standing(self, customer_id: str, context: MessageContext) -> Standing | None:
        """Return the standing of a customer; None of one who is no user, and where nobody is asked."""
        user_id = user_id_in(customer_id)
        if self._stub is None or user_id is None:
            return None
        try:
            question = GetUserRequest(user_id=str(user_id))
            answer = await self._stub.GetUser(question, context=context, is_read=True)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            log.warning("order priced without a tier", because=error.code().name)
            return FALLBACK
        except DeadlineExceededError as error:
            log.warning("order priced without a tier", because=error)
            return FALLBACK
        return _standing(answer.user)


def _standing(user: User) -> Standing:
    if not user.HasField("tier"):
        return FALLBACK
    return Standing(tier=TIERS.get(user.tier, LOWEST_TIER))


Users = Annotated[UsersClient, of_state("users")]  # endpoint parameter that receives the client
