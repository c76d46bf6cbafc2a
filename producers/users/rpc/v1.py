"""Version 1 of users by gRPC: a user, with the tier that loyalty says."""

from typing import Any

import grpc

from cdc.database import Pool, borrow
from producers.grpc.errors import RefusedError
from producers.users import handlers
from producers.users.rpc.loyalty_client import LoyaltyClient
from schemas.customers import user_id_in
from schemas.rpc.users.v1 import users_pb2 as users
from schemas.rpc.users.v1.users_pb2_grpc import UserServiceServicer


class UserService(UserServiceServicer):
    """Answers questions about users."""

    def __init__(self, pool: Pool, loyalty: LoyaltyClient | None) -> None:
        self._pool = pool
        self._loyalty = loyalty

    async def GetUser(self, request: users.GetUserRequest, context: Any) -> users.GetUserResponse:
        if not request.user_id:
            raise RefusedError(
                grpc.StatusCode.INVALID_ARGUMENT, "user_id is empty; say which user is meant"
            )
        user = await self._find(request.user_id)
        if user is None:
            raise RefusedError(grpc.StatusCode.NOT_FOUND, "no user has this id")
        tier = await self._loyalty.tier(user.user_id) if self._loyalty else None
        return users.GetUserResponse(
            user=users.User(
                user_id=str(user.user_id),
                email=user.email,
                created_at=user.signed_up_at,
                tier=tier,
            )
        )

    async def _find(self, text: str) -> handlers.User | None:
        if (user_id := user_id_in(text)) is None:
            return None
        async with borrow(self._pool) as connection:
            return await handlers.find(user_id, connection)
