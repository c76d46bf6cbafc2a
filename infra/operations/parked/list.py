"""Listing what is parked, and what was done about it."""

from dataclasses import dataclass
from typing import Literal

from consumers.runtime.parked.message import Action, Found, RecordPosition, Totals
from consumers.runtime.parked.selection import Selection
from infra.deployment import Deployment
from infra.errors import RequestError
from infra.operations.parked.messages import open_parked


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRequest:
    """Which actions are meant, the newest so many of them; what is None may be anything."""

    place: RecordPosition | None = None
    consumer: str | None = None
    topic: str | None = None
    key: bytes | None = None
    action: Literal["retry", "edit", "skip"] | None = None
    limit: int

    def __post_init__(self) -> None:
        if self.place and self.topic:
            raise RequestError("A PLACE names its topic already.")


def list_messages(deployment: Deployment, selection: Selection, limit: int) -> Found:
    """Return the messages that are meant, oldest first, and the totals of all of them."""
    with open_parked(deployment, selection.consumer) as schemas:
        found = [schema.find(selection, limit) for schema in schemas]
    messages = [message for each in found for message in each.messages]
    messages.sort(key=lambda each: each.parked_at)
    return Found(messages[:limit], sum((each.totals for each in found), Totals()))


def list_actions(deployment: Deployment, request: HistoryRequest) -> list[Action]:
    """Return what was done, newest first."""
    with open_parked(deployment, request.consumer) as schemas:
        actions = [
            action
            for schema in schemas
            for action in schema.actions(
                consumer=request.consumer,
                place=request.place,
                topic=request.topic,
                key=request.key,
                action=request.action,
                limit=request.limit,
            )
        ]
    return sorted(actions, key=lambda each: each.at, reverse=True)[: request.limit]
