"""The picture of the flow: services, their outboxes, who publishes them, topics and consumers, placed and joined.

Where things are follows from the catalogue and from what services declare; what is written on them, from readings.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain

from infra.console.overview.sources import Pipeline
from infra.console.pages import rate, seconds
from infra.deployment import Publisher
from infra.operations.outbox.waiting import Waiting
from infra.services import CANARY, OUTBOXES, SERVICES, WORKERS
from infra.shapes import CONNECT, RELAYS
from infra.text import counted
from schemas.catalogue import Topic, catalogue

WIDTH = 1180
SERVICES_X, SERVICE_WIDTH = 0, 170
OUTBOX_X, OUTBOX_WIDTH = 205, 120
PUBLISHER_X, PUBLISHER_WIDTH = 400, 110
TOPICS_X, TOPIC_WIDTH = 590, 190
CONSUMERS_X, CONSUMER_WIDTH = 880, 300
HEADING = 26  # above each column
BOX, GAP, LINE, PAD = 40, 12, 17, 8
LATE_S = 10.0
"""From so many seconds on a wait is shown as late."""
SWEEPS = 6
UNTOLD = frozenset({CANARY, "cdc", "schemas"})
"""Owners of topics that are no part of what services tell each other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Something that stands in the picture."""

    kind: str  # service, outbox, publisher, topic or consumer
    name: str
    x: int
    y: int
    width: int
    height: int
    parts: tuple[str, ...] = ()  # names of the parts that it consists of
    lines: tuple[str, ...] = ()  # topics that a consumer takes, one below the other

    @property
    def middle(self) -> float:
        return self.y + self.height / 2

    def line_y(self, number: int) -> int:
        """Return the height of the middle of a line of a consumer."""
        return self.y + PAD + LINE * (number + 1) + LINE // 2


@dataclass(frozen=True, slots=True)
class Arrow:
    """What leads from one to another."""

    source: str
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Layout:
    """Everything in its place."""

    height: int
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]


@dataclass(frozen=True, slots=True)
class Label:
    """What is written on something, and how that stands: `idle`, `busy`, `late`, `bad` or `unknown`."""

    text: str
    state: str = "idle"


@dataclass(frozen=True, slots=True)
class Part:
    """A part of something, and its state in a word."""

    name: str
    state: str

    @property
    def is_well(self) -> bool:
        return self.state == "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A box with what is known of it now."""

    box: Box
    title: str
    parts: Sequence[Part]
    label: Label
    lines: Sequence[tuple[str, Label]]


@dataclass(frozen=True, slots=True)
class Picture:
    """What a template draws."""

    width: int
    height: int
    boxes: Sequence[Drawn]
    arrows: Sequence[tuple[Arrow, str]]
    headings: Sequence[tuple[int, str]]


@cache
def layout() -> Layout:
    topics = [
        topic
        for topic in catalogue().topics.values()
        if topic.messages and topic.owner not in UNTOLD
    ]
    schemas, topics, consumers = _untangled(topics)
    boxes = [
        *_services(schemas),
        *_outboxes(schemas),
        *_consumers(consumers, topics),
    ]
    height = max(box.y + box.height for box in boxes)
    boxes += _topics(topics, height)
    boxes.append(_publisher(height))
    return Layout(height + PAD, boxes, list(_arrows({(box.kind, box.name): box for box in boxes})))


def _untangled(topics: Sequence[Topic]) -> tuple[list[str], list[Topic], list[str]]:
    """Return schemas, topics and consumers, each near to what it is joined to, so that fewer arrows cross."""
    schemas = [schema for schema in OUTBOXES if schema != CANARY]
    takers = [worker.name for worker in WORKERS]
    ordered = list(topics)
    for _ in range(SWEEPS):
        place = {topic.name: number for number, topic in enumerate(ordered)}
        schemas.sort(key=lambda name: _mean(place[t.name] for t in ordered if t.owner == name))
        takers.sort(key=lambda name: _mean(place[t.name] for t in ordered if name in t.consumers))
        owner = {name: number / len(schemas) for number, name in enumerate(schemas)}
        taker = {name: number / len(takers) for number, name in enumerate(takers)}
        ordered.sort(
            key=lambda t: _mean(
                [owner.get(t.owner, 0.5), *(taker[c] for c in t.consumers if c in taker)]
            )
        )
    return schemas, ordered, takers


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found) if found else 1e9


def _services(schemas: Sequence[str]) -> list[Box]:
    edges = [service for service in SERVICES if service.schema is None]
    owners = [(service.name, (service.name,)) for service in edges] + [
        (schema, tuple(s.name for s in SERVICES if s.schema == schema and s.kind != "relay"))
        for schema in schemas
    ]
    return [
        Box(
            kind="service",
            name=name,
            x=SERVICES_X,
            y=HEADING + number * (BOX + GAP),
            width=SERVICE_WIDTH,
            height=BOX,
            parts=parts,
        )
        for number, (name, parts) in enumerate(owners)
    ]


def _outboxes(schemas: Sequence[str]) -> list[Box]:
    above = sum(service.schema is None for service in SERVICES)
    return [
        Box(
            kind="outbox",
            name=schema,
            x=OUTBOX_X,
            y=HEADING + (number + above) * (BOX + GAP),
            width=OUTBOX_WIDTH,
            height=BOX,
        )
        for number, schema in enumerate(schemas)
    ]


def _publisher(height: int) -> Box:
    middle = (HEADING + height) // 2
    return Box(
        kind="publisher",
        name="publisher",
        x=PUBLISHER_X,
        y=middle - 70,
        width=PUBLISHER_WIDTH,
        height=140,
    )


def _topics(topics: Sequence[Topic], height: int) -> list[Box]:
    step = (height - HEADING) / len(topics)
    return [
        Box(
            kind="topic",
            name=topic.name,
            x=TOPICS_X,
            y=round(HEADING + step * number + (step - BOX) / 2),
            width=TOPIC_WIDTH,
            height=BOX,
        )
        for number, topic in enumerate(topics)
    ]


def _consumers(consumers: Sequence[str], topics: Sequence[Topic]) -> list[Box]:
    boxes, y = [], HEADING
    for name in consumers:
        lines = tuple(topic.name for topic in topics if name in topic.consumers)
        height = 2 * PAD + LINE * (len(lines) + 1)
        boxes.append(
            Box(
                kind="consumer",
                name=name,
                x=CONSUMERS_X,
                y=y,
                width=CONSUMER_WIDTH,
                height=height,
                parts=(name,),
                lines=lines,
            )
        )
        y += height + GAP
    return boxes


def _arrows(boxes: Mapping[tuple[str, str], Box]) -> Iterable[Arrow]:
    publisher = boxes["publisher", "publisher"]
    for (kind, name), box in boxes.items():
        if kind == "outbox":
            service = boxes["service", name]
            yield Arrow(
                name,
                f"{name} outbox",
                _curve(service.x + service.width, service.middle, box.x, box.middle),
            )
            path = _curve(box.x + box.width, box.middle, publisher.x, publisher.middle)
            yield Arrow(f"{name} outbox", "publisher", path)
        if kind == "topic":
            path = _curve(publisher.x + publisher.width, publisher.middle, box.x, box.middle)
            yield Arrow("publisher", name, path)
        if kind == "consumer":
            for number, line in enumerate(box.lines):
                topic = boxes["topic", line]
                path = _curve(topic.x + topic.width, topic.middle, box.x, box.line_y(number))
                yield Arrow(line, name, path)


def _curve(x1: float, y1: float, x2: float, y2: float) -> str:
    """Return a line that leaves and arrives horizontally; the arrow's head is behind its end."""
    end, bend = x2 - 7, (x2 - x1) * 0.5
    return f"M{x1:g} {y1:g}C{x1 + bend:g} {y1:g} {end - bend:g} {y2:g} {end:g} {y2:g}"


def picture(
    states: Mapping[str, str] | None, pipeline: Pipeline | None, waiting: Waiting | None
) -> Picture:
    """Write what is known on the layout; what is None is not known just now."""
    placed = layout()
    labels = _Labels(states, pipeline, waiting)
    return Picture(
        width=WIDTH,
        height=placed.height,
        boxes=[labels.drawn(box) for box in placed.boxes],
        arrows=[(arrow, labels.of_arrow(arrow)) for arrow in placed.arrows],
        headings=(
            (SERVICES_X, "services"),
            (OUTBOX_X, "outboxes"),
            (PUBLISHER_X, "publisher"),
            (TOPICS_X, "topics"),
            (CONSUMERS_X, "consumers: taken, behind"),
        ),
    )


class _Labels:
    def __init__(
        self, states: Mapping[str, str] | None, pipeline: Pipeline | None, waiting: Waiting | None
    ) -> None:
        self._states = states
        self._pipeline = pipeline
        self._waiting = waiting
        lags = pipeline.lags if pipeline else ()
        self._lags = {(lag.consumer, lag.topic): lag for lag in lags}

    def drawn(self, box: Box) -> Drawn:
        title, parts, label = box.name, box.parts, Label("")
        match box.kind:
            case "service":
                label = self._of_parts(parts)
            case "outbox":
                title, label = "outbox", self._of_outbox(box.name)
            case "publisher":
                by = self._waiting.published_by if self._waiting else None
                title = {"cdc": "Debezium", "relay": "relay", None: "publisher"}[by]
                parts = self._publishers(by)
                label = self._of_publisher()
            case "topic":
                label = self._of_topic(box.name)
        return Drawn(
            box=box,
            title=title,
            parts=[Part(name, self._state(name)) for name in parts],
            label=label,
            lines=[(topic, self._of_line(box.name, topic)) for topic in box.lines],
        )

    def of_arrow(self, arrow: Arrow) -> str:
        if arrow.target == "publisher":
            return self._of_outbox(arrow.source.removesuffix(" outbox")).state
        if arrow.target.endswith(" outbox"):
            return "idle"
        if arrow.source == "publisher":
            return self._of_topic(arrow.target).state
        return self._of_line(arrow.target, arrow.source).state

    def _publishers(self, by: Publisher | None) -> tuple[str, ...]:
        """Return the parts that publish; of a cluster there are two."""
        known = {"cdc": CONNECT, "relay": RELAYS, None: {}}[by].values()
        names = dict.fromkeys(chain.from_iterable(known))
        return tuple(name for name in names if self._states and name in self._states)

    def _state(self, part: str) -> str:
        return "unknown" if self._states is None else self._states.get(part, "unknown")

    def _of_parts(self, parts: Sequence[str]) -> Label:
        states = [self._state(name) for name in parts]
        if not (ill := [state for state in states if state not in {"running", "unknown"}]):
            return Label(counted(len(parts), "part"))
        told = ill[0] if len(parts) == 1 else f"{len(ill)} of {len(parts)} {ill[0]}"
        return Label(told, "bad")

    def _of_outbox(self, schema: str) -> Label:
        rows = self._waiting and self._waiting.outboxes and self._waiting.outboxes.get(schema)
        if not rows:
            return Label("not known", "unknown")
        if not rows.number:
            return Label("0 waiting")
        late = (rows.oldest_s or 0) > LATE_S
        return Label(
            f"{rows.number:,} waiting, {seconds(rows.oldest_s)}", "late" if late else "busy"
        )

    def _of_publisher(self) -> Label:
        if not self._waiting or self._waiting.outboxes is None:
            return Label("not known", "unknown")
        return Label(f"{self._waiting.rows:,} waiting", "busy" if self._waiting.rows else "idle")

    def _of_topic(self, topic: str) -> Label:
        if self._pipeline is None:
            return Label("not known", "unknown")
        if topic not in self._pipeline.published:
            return Label("Kafka does not have it", "bad")
        found = self._pipeline.published[topic]
        return Label(rate(found), "busy" if found else "idle")

    def _of_line(self, consumer: str, topic: str) -> Label:
        """Return what a consumer takes of a topic, and how far it is behind."""
        if self._pipeline is None:
            return Label("not known", "unknown")
        lag = self._lags.get((consumer, topic))
        if lag is None:  # requests, which are answered in time or not at all
            return Label("answered at once")
        if lag.messages is None:
            return Label("topic gone", "bad")
        taken = self._pipeline.taken.get((consumer, topic))
        behind = f"{lag.messages:,} behind, {seconds(lag.seconds)}" if lag.messages else "0 s"
        state = "busy" if taken or lag.messages else "idle"
        if lag.dead:
            state, behind = "bad", f"{behind}, {lag.dead} dead"
        elif (lag.seconds or 0) > LATE_S:
            state = "late"
        return Label(" · ".join(filter(None, (rate(taken), behind))), state)
