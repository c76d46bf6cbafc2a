"""What users does, each in the unit of work that it is given."""

from dataclasses import asdict, dataclass, field
from datetime import datetime
from uuid import UUID

from psycopg.rows import class_row

from schemas.messages.users import UserSignedUp
from tailrace import Connection, UnitOfWork, load_queries, new_id

QUERIES = load_queries(__package__)


class EmailTakenError(Exception):
    """Somebody has signed up with this e-mail address before; it is not named, as errors are logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user as it stands."""

    user_id: UUID
    email: str = field(repr=False)  # personal, and not for logs
    signed_up_at: datetime


async def sign_up(email: str, work: UnitOfWork) -> User:
    """Keep a new user, and tell of it.

    Raises:
        EmailTakenError: the address has a user already.
    """
    user = User(user_id=new_id(), email=email, signed_up_at=work.now())
    # a twin under way is waited for
    added = await work.connection.execute(QUERIES["add"], asdict(user))
    if not added.rowcount:
        raise EmailTakenError
    event = UserSignedUp(user_id=user.user_id, email=email, signed_up_at=user.signed_up_at)
    await work.append([event], aggregate_id=str(user.user_id), after_version=0)
    return user


async def find(user_id: UUID, connection: Connection) -> User | None:
    async with connection.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(QUERIES["find"], {"user_id": user_id})
        return await cursor.fetchone()
