"""Version 1 of webhook endpoints, and of what was delivered to them."""

from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.config import JsonDict
from pydantic_core import PydanticCustomError

from schemas.rest.fields import Moment, Text
from schemas.rest.pages import AskForPage, Limit, Next

EventType = Literal["order.created", "order.confirmed", "order.cancelled"]
Signing = Literal["hmac-sha256", "ed25519"]
DeliveryStatus = Literal["pending", "delivered", "failed", "skipped"]
RowId = Annotated[int, Field(ge=1, lt=2**63)]
USUAL_LIMIT = 100
"""How many of a list came at a time before that could be said."""

Url = Annotated[
    str,
    Field(strict=True, min_length=1, max_length=2048, examples=["https://example.com/hooks"]),
]
EventTypes = Annotated[list[EventType], Field(min_length=1, max_length=50)]
Filter = Annotated[
    dict[
        Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")],
        Annotated[list[Text], Field(min_length=1, max_length=100)],
    ],
    Field(max_length=10, examples=[{"currency": ["EUR", "CHF"]}]),
]
"""Fields of the event, and the values that each may have: what does not fit all of them is not sent."""

Description = Annotated[Text, Field(examples=["Orders for the warehouse"])]
"""What people call an endpoint."""

Secret = Annotated[
    Annotated[str, Field(strict=True, max_length=128)] | None, Field(examples=["whsec_..."])
]


_REGISTER: JsonDict = {
    "url": "https://example.com/hooks",
    "event_types": ["order.created", "order.cancelled"],
    "filter": {"currency": ["EUR", "CHF"]},
}
_REGISTER_HERE: JsonDict = {  # where receivers on the same machine are called, too
    "url": "http://localhost:8099/hooks",
    "event_types": ["order.confirmed"],
}
_CHANGE: JsonDict = {"event_types": ["order.confirmed"], "description": "Orders for the warehouse"}
_ROTATE: JsonDict = {"signing": "ed25519"}
_RECOVER: JsonDict = {"since": "2026-11-28T00:00:00Z"}
_RECOVERED: JsonDict = {"deliveries": 12}
_ENDPOINT: JsonDict = {
    **_REGISTER,
    "endpoint_id": "01a20999-30aa-7e21-b1c4-0a9d6f5e7c33",
    "in_order": True,
    "signing": "hmac-sha256",
    "public_key": None,
    "status": "enabled",
    "disabled_reason": None,
    "failing_since": None,
    "slowed_until": None,
    "created_at": "2026-11-28T10:15:28.000000Z",
}
_WITH_SECRET: JsonDict = {**_ENDPOINT, "secret": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"}
_ENDPOINTS: JsonDict = {"endpoints": [_ENDPOINT], "next": None, "next_after": None}
_DELIVERY: JsonDict = {
    "delivery_id": 1042,
    "endpoint_id": "01a20999-30aa-7e21-b1c4-0a9d6f5e7c33",
    "webhook_id": "01a20999-13c2-7a80-8d5f-5b2e4c6f9a01",
    "event_type": "order.created",
    "key": "01a20999-13c2-7477-bc0d-7ecf0b47d38d",
    "status": "delivered",
    "attempts": 1,
    "due_at": None,
    "created_at": "2026-11-28T10:15:30.310000Z",
    "finished_at": "2026-11-28T10:15:30.390000Z",
}
_DELIVERIES: JsonDict = {"deliveries": [_DELIVERY], "next": None, "next_before": None}
_WITH_ATTEMPTS: JsonDict = {
    **_DELIVERY,
    "attempt_log": [
        {
            "attempted_at": "2026-11-28T10:15:30.330000Z",
            "duration_ms": 41,
            "status": 204,
            "error": None,
            "answer": "",
        }
    ],
}


class RegisterEndpoint(BaseModel):
    """Body of `POST /v1/endpoints`. An unknown field is refused: it is a slip more often."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [_REGISTER, _REGISTER_HERE]}
    )

    url: Url
    event_types: EventTypes
    filter: Filter = {}
    # whether what is told of one order waits for what was told of it before
    in_order: Annotated[bool, Field(strict=True)] = True
    signing: Signing = "hmac-sha256"
    # secret of an HMAC that the receiver has chosen, such as `whsec_` and base64
    secret: Secret = None
    description: Description | None = None


class ChangeEndpoint(BaseModel):
    """Body of `PATCH /v1/endpoints/{endpoint_id}`: what is left out stays as it is.

    What is noted for the endpoint already is delivered whatever its event types and filter are by then. At another URL
    it is tried at once, from the first attempt on. Signatures are changed by `rotate-secret`.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [_CHANGE]}
    )

    url: Url | None = None
    event_types: EventTypes | None = None
    filter: Filter | None = None
    in_order: Annotated[bool, Field(strict=True)] | None = None
    # `enabled` calls a disabled endpoint again for what happens from now on; `disabled` calls it no more
    status: Literal["enabled", "disabled"] | None = None
    description: Annotated[Description | None, Field(description="`null` removes it.")] = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("change", "must say what is to be changed")
        if empty := sorted(
            name for name in self.model_fields_set - {"description"} if getattr(self, name) is None
        ):
            raise PydanticCustomError(
                "change",
                "{names} must not be null; leave out what is to stay",
                {"names": ", ".join(empty)},
            )
        return self


class ListEndpoints(AskForPage):
    """Query of `GET /v1/endpoints`."""

    limit: Limit = USUAL_LIMIT
    after: Annotated[
        UUID | None,
        Field(
            json_schema_extra={"deprecated": True},
            description="Only later ones; follow `next` instead.",
        ),
    ] = None


class ListDeliveries(AskForPage):
    """Query of `GET /v1/endpoints/{endpoint_id}/deliveries`."""

    limit: Limit = USUAL_LIMIT
    status: Annotated[
        DeliveryStatus | None, Field(description="Only deliveries that stand so now.")
    ] = None
    before: Annotated[
        RowId | None,
        Field(
            json_schema_extra={"deprecated": True},
            description="Only earlier ones; follow `next` instead.",
        ),
    ] = None


class RotateSecret(BaseModel):
    """Body of `POST /v1/endpoints/{endpoint_id}/rotate-secret`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [_ROTATE]}
    )

    signing: Signing = "hmac-sha256"
    secret: Secret = None


class Recover(BaseModel):
    """Body of `POST /v1/endpoints/{endpoint_id}/recover`."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", json_schema_extra={"examples": [_RECOVER]}
    )

    since: Moment


class Recovered(BaseModel):
    """How many deliveries are under way again."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_extra={"examples": [_RECOVERED]}
    )

    deliveries: int


class Endpoint(BaseModel):
    """A webhook endpoint. Readers pass over fields that they do not know yet."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_extra={"examples": [_ENDPOINT]}
    )

    endpoint_id: UUID
    url: str
    event_types: list[str]
    filter: dict[str, list[str]]
    in_order: bool
    signing: str
    public_key: str | None = None  # `whpk_...`, of an endpoint that is signed for by ed25519
    description: str | None = None
    status: str  # `enabled` or `disabled`
    disabled_reason: str | None = None
    failing_since: datetime | None = None
    slowed_until: datetime | None = None  # it has asked not to be called before
    created_at: datetime


class EndpointWithSecret(Endpoint):
    """The same with its secret, which is told this once."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WITH_SECRET]})

    secret: str | None = None


class Endpoints(BaseModel):
    """A page of endpoints, oldest first."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_extra={"examples": [_ENDPOINTS]}
    )

    endpoints: list[Endpoint]
    next: Next = None
    next_after: UUID | None = None  # the same for `after`; take `next`


class Delivery(BaseModel):
    """What is, or was, delivered to an endpoint."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_extra={"examples": [_DELIVERY]}
    )

    delivery_id: int
    endpoint_id: UUID
    webhook_id: UUID  # what the header `webhook-id` says, however often it is sent
    event_type: str
    key: str
    status: str  # `pending`, `delivered`, `failed` or `skipped` (the endpoint was disabled)
    attempts: int
    due_at: datetime | None = None
    created_at: datetime
    finished_at: datetime | None = None


class Deliveries(BaseModel):
    """A page of deliveries, newest first."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", json_schema_extra={"examples": [_DELIVERIES]}
    )

    deliveries: list[Delivery]
    next: Next = None
    next_before: int | None = None  # the same for `before`; take `next`


class Attempt(BaseModel):
    """One call of the receiver, and what came of it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    attempted_at: datetime
    duration_ms: int
    status: int | None = None
    error: str | None = None
    answer: str  # its first 1024 bytes, without characters that steer whatever shows it


class DeliveryWithAttempts(Delivery):
    """A delivery, and every attempt at it, oldest first."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WITH_ATTEMPTS]})

    attempt_log: list[Attempt]
