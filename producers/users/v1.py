"""Version 1 of users: how somebody signs up, and how a user is shown."""

from uuid import UUID

from producers.rest.context import Context
from producers.rest.created import CREATED, Location
from producers.rest.problems import REFUSALS, ProblemError, answers
from producers.rest.storage import Stored
from producers.rest.versions import version_router
from producers.users import handlers
from schemas.rest.users import API, EMAIL_TAKEN, USER_NOT_FOUND, V1
from schemas.rest.users.v1 import SignUp, User

router = version_router(API, V1)


@router.post("/users", status_code=201, responses=CREATED | REFUSALS | answers(409, 503, 504))
async def sign_up(asked: SignUp, storage: Stored, context: Context, location: Location) -> User:
    """Sign up."""
    try:
        async with storage.work(context) as work:
            user = await handlers.sign_up(asked.email, work)
    except handlers.EmailTakenError:
        told = "somebody has signed up with this e-mail address already; sign up with another one"
        raise ProblemError(409, told, kind=EMAIL_TAKEN) from None
    location.tell(user.user_id)
    return to_resource(user)


@router.get("/users/{user_id}", responses=answers(404, 503, 504))
async def show(user_id: UUID, storage: Stored) -> User:
    """Show a user as it stands."""
    async with storage.connection() as connection:
        user = await handlers.find(user_id, connection)
    if user is None:
        raise ProblemError(404, f"there is no user {user_id}", kind=USER_NOT_FOUND)
    return to_resource(user)


def to_resource(user: handlers.User) -> User:
    return User(user_id=user.user_id, email=user.email, signed_up_at=user.signed_up_at)
