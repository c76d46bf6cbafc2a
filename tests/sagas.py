"""A saga of a test's own, with messages and topics that the catalogue does not have."""

import dataclasses
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import pytest

from cdc.due import RetryPolicy
from consumers.sagas.definition import NOTHING_TO_UNDO, Ask, Parallel, Pivot, Saga, Step
from consumers.testing import schemas as local_schemas
from schemas import catalogue as catalogues
from schemas import contracts, messages
from schemas.catalogue import Catalogue, Topic
from schemas.messages.sagas import DeadlinePassed


@dataclass(frozen=True, kw_only=True)
class Trial:
    """A message about an item."""

    NAME: ClassVar[str]
    READER: ClassVar[str | None] = None

    item_id: str
    text: str = ""

    def to_avro(self) -> dict[str, Any]:
        return {"item_id": self.item_id, "text": self.text}

    @classmethod
    def from_avro(cls, datum: Mapping[str, Any]) -> Self:
        return cls(**datum)

    def __init_subclass__(cls) -> None:
        cls.NAME = f"trial.{cls.__name__}"


class Placed(Trial): ...


class Withdrawn(Trial): ...


class Authorise(Trial): ...


class Authorised(Trial): ...


class Declined(Trial): ...


class Void(Trial): ...


class Voided(Trial): ...


class Reserve(Trial): ...


class Reserved(Trial): ...


class SoldOut(Trial): ...


class Release(Trial): ...


class Released(Trial): ...


class Check(Trial): ...


class Checked(Trial): ...


class Fraud(Trial): ...


class Capture(Trial): ...


class Captured(Trial): ...


class Bounced(Trial): ...


class Confirm(Trial): ...


class Confirmed(Trial): ...


class Reject(Trial): ...


class Rejected(Trial): ...


class Sorry(Trial): ...


EVENTS = (Placed, Withdrawn)
COMMANDS = (Authorise, Void, Reserve, Release, Check, Capture, Confirm, Reject, Sorry)
REPLIES = (
    Authorised, Declined, Voided, Reserved, SoldOut, Released, Checked, Fraud, Captured, Bounced,
    Confirmed, Rejected,
)  # fmt: skip
ALL = (*EVENTS, *COMMANDS, *REPLIES)


def topic(name: str, kind: Any, messages: tuple[Any, ...]) -> Topic:
    return Topic(
        name=name,
        owner="trial",
        aggregate="item",
        partitions=1,
        retention_hours=1,
        messages=tuple(message.NAME for message in messages),
        consumers={},
        kind=kind,
    )


TOPICS = (
    topic("trial.events", "events", EVENTS),
    topic("trial.commands", "commands", COMMANDS),
    topic("trial.replies", "replies", (*REPLIES, DeadlinePassed)),
)
REAL = catalogues.catalogue
_declared = REAL()
WORLD = replace(_declared, topics={**_declared.topics, **{each.name: each for each in TOPICS}})


def enter_world(
    patch: pytest.MonkeyPatch, declared: Catalogue = WORLD, classes: tuple[Any, ...] = ALL
) -> None:
    """Have every module see topics and messages of a test's own; those of the trial when none are given."""
    for module in list(sys.modules.values()):
        if getattr(module, "catalogue", None) is REAL:
            patch.setattr(module, "catalogue", lambda: declared)
    named = contracts._named
    own = {message.NAME: message for message in classes}

    def schema(name: str) -> dict[str, Any]:
        if name not in own:
            return named(name)
        context, _, record = name.partition(".")
        types: dict[Any, str] = {str: "string", int: "int"}
        fields = [
            {"name": each.name, "type": types[each.type], "doc": each.name}
            for each in dataclasses.fields(own[name])
        ]
        return {"type": "record", "name": record, "namespace": context, "fields": fields}

    patch.setattr(contracts, "_named", schema)
    patch.setattr(local_schemas, "ALL", (*messages.ALL, *classes))
    local_schemas.codec_of_all.cache_clear()


@dataclass(frozen=True)
class State:
    item_id: str
    text: str = ""
    seen: tuple[str, ...] = ()


def begin(placed: Placed) -> State | None:
    return None if placed.text == "not ours" else State(placed.item_id, placed.text)


def seen(state: State, reply: Trial) -> State:
    return replace(state, seen=(*state.seen, type(reply).__name__))


def because(state: State, reason: str) -> State:
    return replace(state, text=reason)


def authorise(state: State) -> Authorise:
    return Authorise(item_id=state.item_id)


def void(state: State) -> Void:
    return Void(item_id=state.item_id)


def reserve(state: State) -> Reserve:
    return Reserve(item_id=state.item_id)


def release(state: State) -> Release:
    return Release(item_id=state.item_id)


def check(state: State) -> Check:
    return Check(item_id=state.item_id)


def capture(state: State) -> Capture:
    return Capture(item_id=state.item_id)


def confirm(state: State) -> Confirm:
    return Confirm(item_id=state.item_id)


def reject(state: State) -> Reject:
    return Reject(item_id=state.item_id, text=state.text)


def sorry(state: State) -> Sorry:
    return Sorry(item_id=state.item_id)


def is_not_digital(state: State) -> bool:
    return state.text != "digital"


THREE = RetryPolicy(attempts=3, first_pause_s=10.0, factor=1.0)


def trial(**changes: Any) -> Saga[State]:
    """Return the definition of the trial, with changes."""
    options: dict[str, Any] = {
        "version": 1,
        "state": State,
        "replies_to": "trial.replies",
        "starts": {Placed: begin},
        "cancelled_by": {Withdrawn: seen},
        "because": because,
        "too_late": sorry,
        "steps": [
            Step("item", undo=Ask(reject, ok={Rejected: seen}, within_s=30, retries=THREE)),
            Step(
                "authorise",
                do=Ask(authorise, ok={Authorised: seen}, refused={Declined: seen}, within_s=30),
                undo=Ask(void, ok={Voided: seen}, within_s=30, retries=THREE),
            ),
            Parallel(
                Step(
                    "reserve",
                    do=Ask(reserve, ok={Reserved: seen}, refused={SoldOut: seen}, within_s=30,
                           retries=THREE),
                    undo=Ask(release, ok={Released: seen}, within_s=30, retries=THREE),
                    when=is_not_digital,
                ),
                Step(
                    "check",
                    do=Ask(check, ok={Checked: seen}, refused={Fraud: seen}, within_s=60),
                    undo=NOTHING_TO_UNDO,
                ),
            ),
            Pivot(
                Step(
                    "capture",
                    do=Ask(capture, ok={Captured: seen}, refused={Bounced: seen}, within_s=30,
                           retries=THREE),
                )
            ),
            Step("confirm", do=Ask(confirm, ok=Confirmed, within_s=30, retries=THREE)),
        ],
    }  # fmt: skip
    return Saga("trial", **options | changes)
