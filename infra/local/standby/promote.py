"""Having the standby take over: what is asked before, the steps, and what proves that nothing is missing.

Each step may be repeated, and the data directories tell which are done: so a promotion that was interrupted goes on
where it stopped, whether it is begun again here or by `up`.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from infra import pipeline
from infra.drift.delivery import silent
from infra.errors import RequestError, TailraceError
from infra.local.home import exclusive
from infra.local.parts import CONSOLE_PART, parts_of
from infra.local.programs import publisher
from infra.local.running import NotRunningError
from infra.local.stages import Report, Stage, run_stages
from infra.local.standby.files import fence, fenced, present
from infra.local.standby.make import (
    StandbyError,
    ensure_copy,
    promote_server,
    wait_until_protected,
)
from infra.local.standby.status import report, unpromotable
from infra.local.starter import Starter
from infra.local.supervision.client import Supervisor
from infra.operations.outbox.verify import TopicRequest, verify_topic
from infra.services import CANARY
from infra.settings import Settings
from schemas.catalogue import catalogue

PROVED = timedelta(minutes=5)
"""How long before the promotion messages are compared from: what is older had gone its way."""


NONE_HERE = (
    "There is one server of Postgres here, and no standby: it takes a stack that was begun with "
    "`make up PROFILE=cluster`."
)


class PromotionError(TailraceError):
    """The standby does not take over, or something is missing after it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promoted:
    """What a promotion did."""

    primary: str  # the server that takes writes now
    standby: str  # the one that was made anew, as its standby
    # seconds of each step, in the order in which they ended
    seconds: dict[str, float]
    flowing_s: float  # until a message went all the way through the new primary
    total_s: float
    rows: int  # that were compared with Kafka and with what consumers took
    topics: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What there is to be done: from which server to which."""

    old: str
    new: str
    is_promoted: bool  # the new one takes writes


def plan(
    servers: Sequence[str], primary: str | None, standby: str | None, set_aside: str | None
) -> Plan:
    """Return what a promotion has to do, by what the data directories are.

    Args:
        primary: The server with the data of a primary.
        standby: The one with the data of a standby.
        set_aside: The one whose data were set aside by a promotion that has not come to its end.
    """
    if len(servers) == 1:
        raise RequestError(NONE_HERE)
    if standby:
        [old] = [name for name in servers if name != standby]
        return Plan(old, standby, is_promoted=False)
    if primary and set_aside:
        return Plan(set_aside, primary, is_promoted=True)
    raise PromotionError(
        "There is no standby to promote: `tailrace postgres rebuild` makes one."
        if primary
        else "There are no data of Postgres yet: run `make up`."
    )


def promote(settings: Settings, told: Report) -> Promoted:
    """Have the standby take over for good, from a primary that is lost or still runs, and make that one its standby."""
    todo = plan(tuple(settings.postgres_ports), *present(settings), fenced(settings))
    starter = _starter(settings)
    work = _Promotion(settings, todo, starter)
    with exclusive(settings.home):
        begin = time.monotonic()
        seconds = run_stages(work.stages(), told, starter.cancelled)
        return Promoted(
            primary=todo.new,
            standby=todo.old,
            seconds=seconds,
            flowing_s=work.flowing_at - begin,
            total_s=time.monotonic() - begin,
            rows=work.rows,
            topics=len(_topics()),
        )


class _Promotion:
    """The steps of one promotion, and what they find."""

    def __init__(self, settings: Settings, todo: Plan, starter: Starter) -> None:
        self._settings = settings
        self._todo = todo
        self._starter = starter
        self._since = datetime.now(UTC) - PROVED
        self.flowing_at = 0.0
        self.rows = 0

    def stages(self) -> list[Stage]:
        """Return what is left to do; the old server becomes a standby while it is proved that nothing is missing."""
        return [
            Stage("check", self._check),
            Stage("fence", self._fence, after=("check",)),
            Stage("promote", self._promote, after=("fence",)),
            Stage("connector", self._connector, after=("promote",)),
            Stage("console", self._console, after=("connector",)),
            Stage("flowing", self._flowing, after=("connector",)),
            Stage("verify", self._verify, after=("rebuild",)),
            *making(self._settings, self._starter, self._todo.old, after="flowing"),
        ]

    def _check(self) -> str:
        if self._todo.is_promoted:
            return "was passed before"
        found = report(self._settings)
        if trouble := unpromotable(found):
            raise PromotionError(
                f"{self._todo.new} was not promoted, because something would be lost: {trouble}. Nothing was changed: "
                f"`make up` starts {self._todo.old} again, and `tailrace postgres status` tells when "
                f"{self._todo.new} could take over."
            )
        return f"{self._todo.new} has all that was answered"

    def _fence(self) -> str:
        fence(self._settings, self._todo.old)
        return f"{self._todo.old} takes no writes any more"

    def _promote(self) -> str:
        promote_server(self._settings, self._todo.new)
        return f"{self._todo.new} takes writes"

    def _connector(self) -> str:
        if publisher(self._settings) == "relay":
            return "there is none, the relay publishes"
        return pipeline.told_of_connectors(pipeline.apply_connectors(self._settings.deployment()))

    def _console(self) -> str:
        """Start the console anew, which looks where Debezium was to read when it was started."""
        supervisor, name = Supervisor(self._settings.home), CONSOLE_PART.name
        running = supervisor.processes().get(name)
        if running is None or not running.is_alive:
            return "there is none"
        supervisor.stop([name])
        supervisor.start(name)
        return "started anew"

    def _flowing(self) -> str:
        seconds = pipeline.send_canary(self._settings.deployment())
        self.flowing_at = time.monotonic()
        return f"commit to Kafka in {seconds * 1000:.0f} ms"

    def _verify(self) -> str:
        until = datetime.now(UTC)
        for topic in _topics():
            request = TopicRequest(topic=topic, since=self._since, until=until)
            found = verify_topic(self._settings.deployment(), request, silent)
            if not found.is_good:
                raise PromotionError(
                    f"{self._todo.new} takes writes, and something is wrong with {topic}: run `tailrace outbox verify "
                    f"--topic {topic} --from {self._since.isoformat(timespec='seconds')}`, which names it."
                )
            self.rows += found.rows
        return f"nothing is missing of {self.rows:,} messages"


def rebuild(settings: Settings, told: Report) -> dict[str, float]:
    """Make the standby anew, whatever it is like; return the seconds of each step."""
    name, starter = settings.standby, _starter(settings)
    if name is None:
        raise RequestError(NONE_HERE)
    if settings.is_standby(settings.primary):
        raise StandbyError(
            "There is no primary to copy, as a promotion was begun and not finished: run `tailrace postgres promote`."
        )

    def remove() -> str:
        fence(settings, name)
        return ""

    stages = [Stage("remove", remove), *making(settings, starter, name, after="remove")]
    with exclusive(settings.home):
        return run_stages(stages, told, starter.cancelled)


def making(settings: Settings, starter: Starter, name: str, *, after: str) -> list[Stage]:
    """Return the steps to a standby that could take over."""
    [part] = [part for part in parts_of(settings) if part.name == name]

    def made() -> str:
        copied = ensure_copy(settings)
        starter.launch(part)
        starter.wait_ready(part)
        return copied

    def synchronised() -> str:
        return wait_until_protected(settings, starter.cancelled)

    return [
        Stage("rebuild", made, after=(after,)),
        Stage("synchronised", synchronised, after=("rebuild",)),
    ]


def _starter(settings: Settings) -> Starter:
    supervisor = Supervisor(settings.home)
    if not supervisor.is_running():
        raise NotRunningError("The stack is down: run `make up`.")
    return Starter(settings, supervisor)


def _topics() -> list[str]:
    """Return the topics that outboxes feed and that matter."""
    return [
        topic.name
        for topic in catalogue().topics.values()
        if topic.messages and topic.owner != CANARY and not topic.is_direct
    ]
