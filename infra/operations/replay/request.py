"""What is asked of a replay."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, Self
from uuid import UUID

from consumers.replay.bounds import Bound
from consumers.replay.selection import Selection
from consumers.replay.source import Kind
from consumers.replay.state import RunState
from consumers.replay.where import Condition
from consumers.runtime.parked.message import key_of, key_text
from infra.errors import RequestError
from infra.operations.topics import require_types

OPTIONS = {
    "topics": "--topic",
    "start": "--from",
    "end": "--to",
    "keys": "--key",
    "types": "--type",
    "ids": "--id",
    "where": "--where",
    "consumer": "--consumer",
    "source": "--source",
    "rows": "--rows",
    "rate": "--rate",
}
"""What chooses and shapes a replay into a sandbox -> how the command line calls it."""
REMEMBERED = (*OPTIONS, "keep", "force", "why", "who")
"""What a replay needs again when it is resumed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayRequest:
    """Which messages are replayed, to whom, and how."""

    topics: Sequence[str] = ()  # those that the consumer reads when none are named
    start: Bound = field(default_factory=Bound)
    end: Bound = field(default_factory=Bound)
    keys: Sequence[bytes] = ()
    types: Sequence[str] = ()
    ids: Sequence[UUID] = ()
    where: Sequence[Condition] = ()
    consumer: str | None = None
    into: Literal["sandbox"] | None = None
    to_topic: str | None = None
    create: bool = False
    live: bool = False
    force: bool = False
    who: str
    why: str | None = None
    source: Kind | None = None
    dry_run: bool = False
    code: str | None = None
    keep: bool = False
    rows: int | None = None
    rate: float | None = None
    resume: str | None = None
    """Id of a replay that was interrupted, or `last`; it says all the rest, but for rate and rows."""

    def __post_init__(self) -> None:
        aims = ("into", "to_topic", "live", "resume")
        if len(named := [f"--{aim.replace('_', '-')}" for aim in aims if getattr(self, aim)]) > 1:
            raise RequestError(f"{' and '.join(named)} exclude each other.")
        if self.force and not self.live:
            raise RequestError("--force goes with --live: a sandbox has taken nothing before.")
        if self.force and not self.why:
            raise RequestError("--force wants --why: it is what others will find on record.")
        if self.code and (self.live or self.to_topic or self.dry_run):
            raise RequestError("--code goes with a sandbox only: it is for trying handlers out.")
        if self.create and not self.to_topic:
            raise RequestError("--create goes with --to-topic.")

    def selection(self, topics: Sequence[str] = ()) -> Selection:
        """Return which messages are meant, of these topics when the request names none."""
        named = tuple(dict.fromkeys(self.topics)) or tuple(topics)
        if not named:
            raise RequestError("Say which topic is meant: --topic order.events.")
        require_types(named, self.types)
        return Selection(
            topics=named,
            start=self.start,
            end=self.end,
            keys=tuple(self.keys),
            types=tuple(self.types),
            ids=tuple(self.ids),
            where=tuple(self.where),
        )

    def choices(self) -> dict[str, Any]:
        """Return what a replay needs again when it is resumed, as JSON holds it; `from_choices` reads it."""
        return {name: getattr(self, name) for name in REMEMBERED} | {
            "start": _bound_texts(self.start),
            "end": _bound_texts(self.end),
            "keys": [key_text(key) for key in self.keys],
            "ids": [str(each) for each in self.ids],
            "where": [_condition_text(each) for each in self.where],
        }

    def words(self) -> list[str]:
        """Return the same request for a sandbox as arguments of `tailrace replay`."""
        choices = self.choices()
        words = [
            f"{option}={each}"
            for name, option in OPTIONS.items()
            for each in (
                choices[name] if isinstance(choices[name], list | tuple) else [choices[name]]
            )
            if each is not None
        ]
        words += ["--keep"] if self.keep else []
        return words if self.resume is None else [*words, f"--resume={self.resume}"]

    def resumed(self, state: RunState) -> Self:
        """Return the request of a replay that was interrupted; rate and rows may be others now."""
        anew = {"rate": self.rate, "rows": self.rows}
        anew = {name: value for name, value in anew.items() if value is not None}
        to_topic = state.target if state.mode == "topic" else None
        aim = {"to_topic": to_topic, "live": state.mode == "live", "code": None, "resume": None}
        return replace(self, **from_choices(state.asked) | anew | aim)


def from_choices(choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a request that `choices` tells of."""
    now = datetime.now(UTC)
    return dict(choices) | {
        "start": Bound.parse(choices["start"], now),
        "end": Bound.parse(choices["end"], now),
        "keys": [key_of(text) for text in choices["keys"]],
        "ids": [UUID(text) for text in choices["ids"]],
        "where": [Condition.parse(text) for text in choices["where"]],
    }


def _bound_texts(bound: Bound) -> list[str]:
    if bound.time:
        return [bound.time.isoformat()]
    return [f"{partition}:{offset}" for partition, offset in bound.offsets.items()]


def _condition_text(condition: Condition) -> str:
    """Return a condition so that it reads the same again: quotes of its own are part of the literal."""
    return f"{'.'.join(condition.path)}{condition.operator}'{condition.literal}'"
