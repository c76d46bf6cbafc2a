"""Swim lanes: a band for each service, in it a row for each message that it took, with what waited and what worked.

Rows follow causes and positions in logs, as the flow does; times only say where bars begin and end. Where clocks differ
so that something would end before it began, it is drawn where it begins, and said.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from infra.console.flow.scale import Cut, Scale
from infra.console.pages import milliseconds
from infra.operations.flow import PARKED, Flow, FlowMessage, Taking

WIDTH = 1180
LEFT, RIGHT = 300, 1120
TOP = 34
ROW, BAND_TOP, BAND_BOTTOM, BAND_GAP = 22, 22, 6, 6
BAR = 12
LEAST = 3.0  # of a bar, so that it can be seen
MOST_ROWS = 150
LETTER, ROOM = 6.6, 420
"""How wide a letter is about, and how much room lets everything be said."""

Kind = Literal["outbox", "topic", "handler", "parked"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Something that took time."""

    kind: Kind
    x: float
    width: float
    told: str  # what it was, and for how long


@dataclass(slots=True, kw_only=True)
class Row:
    """What a service did about one message: took it, worked, and sent others; or sent it without another before."""

    message: FlowMessage
    label: str
    note: str  # what became of it, where that is not in the bars
    is_bad: bool
    y: int = 0
    bars: list[Bar] = field(default_factory=list)
    mark: float | None = None  # where something is known to have happened, and not how long it took

    @property
    def told(self) -> str:
        """What stands beside the bars."""
        return "; ".join(filter(None, (", ".join(bar.told for bar in self.bars), self.note)))

    @property
    def place(self) -> tuple[float, str, int]:
        """Where that begins or ends, and how many letters of it find room: behind what is drawn, or before it."""
        marked = [] if self.mark is None else [self.mark]
        begin = min([bar.x for bar in self.bars] + marked, default=LEFT)
        end = max([bar.x + bar.width for bar in self.bars] + marked, default=LEFT)
        before, behind = begin - LEFT, WIDTH - end
        if behind >= min(before, ROOM):
            return end + 9, "start", int((behind - 9) / LETTER)
        return begin - 9, "end", int((before - 9) / LETTER)


@dataclass(slots=True)
class Band:
    """A service."""

    service: str
    rows: list[Row] = field(default_factory=list)
    y: int = 0
    height: int = 0


@dataclass(frozen=True, slots=True)
class Link:
    """From where a message was published to who took it."""

    path: str
    is_bad: bool


@dataclass(frozen=True, slots=True)
class Tick:
    """A time, as it stands above the lanes."""

    x: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lanes:
    """What a template draws."""

    width: int
    height: int
    bands: Sequence[Band]
    links: Sequence[Link]
    ticks: Sequence[Tick]
    cuts: Sequence[Cut]
    notes: Sequence[str]


def lanes(flow: Flow, now: datetime) -> Lanes | None:
    """Draw a flow as it is known now; None where no time is known of anything."""
    moments = list(_moments(flow, now))
    if not moments:
        return None
    return _Drawing(flow, Scale(moments, LEFT, RIGHT), now).lanes()


def _moments(flow: Flow, now: datetime) -> Iterator[datetime]:
    for message in flow.messages:
        yield from filter(None, (message.written_at, message.published_at))
        for taking in message.takings:
            yield from filter(None, (taking.taken_at, taking.effect_at))
            if taking.state in PARKED:
                yield now


class _Drawing:
    def __init__(self, flow: Flow, scale: Scale, now: datetime) -> None:
        self._flow = flow
        self._scale = scale
        self._now = now
        self._bands: dict[str, Band] = {}
        self._by_id = {message.message_id: message for message in flow.messages}
        # row in which each message was sent, and the row in which each consumer took it
        self._sent: dict[UUID, Row] = {}
        self._taken: list[tuple[FlowMessage, Row]] = []
        self._left_out = 0

    def lanes(self) -> Lanes:
        for message in self._flow.messages:
            if message.message_id not in self._sent:
                self._begin(message)
            for taking in message.takings:
                self._take(message, taking)
        height = self._place()
        return Lanes(
            width=WIDTH,
            height=height,
            bands=list(self._bands.values()),
            links=list(self._links()),
            ticks=list(self._ticks()),
            cuts=self._scale.cuts,
            notes=list(self._notes()),
        )

    def _begin(self, message: FlowMessage) -> None:
        """Add the row of a message that no message of this flow led to."""
        row = Row(
            message=message, label=message.type, note=_state(message), is_bad=_is_bad(message)
        )
        if message.written_at:
            row.mark = self._scale.x(message.written_at)
        self._add(message.service, row)
        self._send(row, [message])

    def _take(self, message: FlowMessage, taking: Taking) -> None:
        row = Row(
            message=message,
            label=f"{message.type} → {taking.consumer}",
            note=_note(taking),
            is_bad=taking.state in PARKED,
        )
        since, until = message.published_at, taking.taken_at
        if since and until:
            row.bars.append(self._bar("topic", since, until, "in the topic"))
        elif since or until:
            row.mark = self._scale.x(until or since)  # type: ignore[arg-type]
        if taking.state in PARKED and until:
            row.bars.append(self._bar("parked", until, self._now, "parked"))
        elif until and taking.effect_at:
            row.bars.append(self._bar("handler", until, taking.effect_at, "in the handler"))
        if self._add(taking.service, row):
            self._taken.append((message, row))
            self._send(row, [self._by_id[each] for each in taking.effects if each in self._by_id])

    def _send(self, row: Row, messages: Iterable[FlowMessage]) -> None:
        for each in messages:
            self._sent[each.message_id] = row
            if each.written_at and each.published_at:
                told = f"{each.type} in the outbox"
                row.bars.append(self._bar("outbox", each.written_at, each.published_at, told))
            elif _state(each):
                row.note = "; ".join(filter(None, (row.note, f"{each.type}: {_state(each)}")))
                row.is_bad = row.is_bad or _is_bad(each)

    def _bar(self, kind: Kind, since: datetime, until: datetime, told: str) -> Bar:
        x, end = self._scale.x(since), self._scale.x(max(since, until))
        took = milliseconds((until - since).total_seconds())
        return Bar(kind=kind, x=x, width=round(max(LEAST, end - x), 1), told=f"{took} {told}")

    def _add(self, service: str, row: Row) -> bool:
        if sum(len(band.rows) for band in self._bands.values()) >= MOST_ROWS:
            self._left_out += 1
            return False
        self._bands.setdefault(service, Band(service)).rows.append(row)
        return True

    def _place(self) -> int:
        y = TOP
        for band in self._bands.values():
            band.y = y
            for number, row in enumerate(band.rows):
                row.y = y + BAND_TOP + ROW * number + ROW // 2
            band.height = BAND_TOP + ROW * len(band.rows) + BAND_BOTTOM
            y += band.height + BAND_GAP
        return y

    def _links(self) -> Iterator[Link]:
        for message, row in self._taken:
            sender = self._sent.get(message.message_id)
            if sender is None or sender is row or not message.published_at:
                continue
            x = self._scale.x(message.published_at)
            yield Link(f"M{x:g} {sender.y:g}L{x:g} {row.y:g}", row.is_bad)

    def _ticks(self) -> Iterator[Tick]:
        """Yield round times, as far as none is written on the one before."""
        first, whole = self._scale.first, self._scale.seconds
        step = _step(whole)
        steps = [step * number for number in range(int(whole / step) + 1)] if step else [0.0]
        last_x = -1e9
        for seconds in steps:
            x = self._scale.x(_later(first, seconds))
            if x - last_x >= 70:
                last_x = x
                yield Tick(x, f"+{milliseconds(seconds)}")

    def _notes(self) -> Iterator[str]:
        if self._left_out:
            yield f"{self._left_out} rows more are not drawn; the list below has all messages."
        skewed = [
            wait
            for message in self._flow.messages
            for wait in (message.in_outbox_s, *(taking.in_topic_s for taking in message.takings))
            if wait is not None and wait < 0
        ]
        if skewed:
            yield (
                f"Clocks differ by {milliseconds(-min(skewed))} or more: {len(skewed)} waits would be below zero, and "
                "are drawn as none. The order of the rows does not depend on clocks."
            )


def _later(moment: datetime, seconds: float) -> datetime:
    return datetime.fromtimestamp(moment.timestamp() + seconds, moment.tzinfo)


def _step(seconds: float) -> float:
    """Return a round number of seconds that goes a few times into a time."""
    step = 0.001
    while True:
        for factor in (1, 2, 5):
            if seconds <= step * factor * 8:
                return step * factor
        step *= 10


def _state(message: FlowMessage) -> str:
    return "" if message.state == "published" else f"{message.state} {message.detail}".rstrip()


def _is_bad(message: FlowMessage) -> bool:
    return message.state == "set aside"


def _note(taking: Taking) -> str:
    words = {"retrying": "parked, is tried again", "dead": "dead letter", "behind": "parked behind"}
    if taking.state == "taken":
        return taking.detail
    told = words.get(taking.state, taking.state)
    return f"{told}: {taking.detail}" if taking.detail else told
