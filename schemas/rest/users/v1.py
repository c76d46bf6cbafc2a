"""Version 1 of a user."""

import re
from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from schemas.rest.fields import Text

_EXAMPLE: JsonDict = {"email": "ada@example.com"}
_SIGNED_UP: JsonDict = {
    **_EXAMPLE,
    "user_id": "01a20999-0f3a-7c55-9b7e-3d8a52b1c6f4",
    "signed_up_at": "2026-11-28T10:15:29.114000Z",
}
_EMAIL = re.compile(r"[!-?A-~]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+", re.ASCII)


def _email(text: str) -> str:
    """Take what a mail server can be handed; only a mail shows whether somebody reads it."""
    if not _EMAIL.fullmatch(text) or set(text) & set('()<>[]:;,\\"'):
        raise PydanticCustomError("email", "must be an e-mail address such as ada@example.com")
    return text


Email = Annotated[Text, Field(examples=["ada@example.com"]), AfterValidator(_email)]
"""An e-mail address in ASCII, up to 128 characters. Large and small letters make no other address."""


class SignUp(BaseModel):
    """Body of `POST /v1/users`. An unknown field is refused: it is a slip more often."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [_EXAMPLE]}
    )

    email: Email


class User(BaseModel):
    """A user. Readers pass over fields that they do not know yet."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_extra={"examples": [_SIGNED_UP]}
    )

    user_id: UUID
    email: str
    signed_up_at: datetime
