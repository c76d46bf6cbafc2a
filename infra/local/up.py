"""Starting the stack: what is missing is made or started, what is there is left alone."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import psycopg

from infra.capture import LostSlotError
from infra.drift.everything import DifferenceError, require_declared
from infra.local import aot, postgres, preflight
from infra.local.account import usual_umask
from infra.local.home import prepared
from infra.local.java import agent, artifacts
from infra.local.parts import (
    CONNECT,
    CONSOLE_PART,
    KAFKA,
    METRICS_PART,
    RELAY,
    ZIPKIN_PART,
    parts_of,
)
from infra.local.programs import keep_running, prepare_programs, remember
from infra.local.provision import ensure_passwords, provision
from infra.local.stages import Report, Stage, run_stages
from infra.local.standby import make, watch
from infra.local.standby.make import made_later, primary_up
from infra.local.starter import Starter
from infra.local.stop import stop_everything
from infra.local.supervision import leftovers
from infra.local.supervision.client import Supervisor
from infra.moving.marks import require_at_home
from infra.services import SUPERUSER
from infra.settings import Settings
from infra.shapes import POSTGRES
from infra.sharding.marks import require_shards

# Connect finds the broker when it is there; the registry needs its database first
FIRST_PARTS = frozenset({*POSTGRES["cluster"], watch.NAME, *KAFKA, "connect"})

LISTED = 3
# the stage after which the outbox is published
PUBLISHED_BY = {"cdc": "connector", "relay": "relay"}


class UpReport(Report, Protocol):
    """Told how an `up` goes on."""

    def downloading(self, name: str, done_bytes: int, total_bytes: int) -> None:
        """A part of a file has arrived; called from other threads, one at a time."""


@dataclass(frozen=True, slots=True)
class UpResult:
    """What an `up` did."""

    seconds: dict[str, float]  # seconds of each stage, in the order in which they ended
    total_s: float  # seconds of the whole; less than their sum, since stages run side by side
    started: list[str]  # the programs that were started, none if all ran already
    training: bool  # the Java start-up cache is being made in the background


def up(settings: Settings, report: UpReport) -> UpResult:
    """Bring the whole stack up and prove that it carries a message.

    If anything fails, what this call has started is stopped again; what ran before goes on. Only when the connector's
    slot is lost everything that runs stays, as it takes part in the recovery.
    """
    begin = time.monotonic()
    preflight.check_machine(settings)
    preflight.check_profile(settings)
    with usual_umask(), prepared(settings.home):
        seconds: dict[str, float] = {}
        supervisor = Supervisor(settings.home)
        with _timed("preflight", seconds, report) as details:
            details.extend(_end_leftovers(settings, supervisor))
            preflight.check_ports(settings, running=_alive(supervisor))
        with _timed("java artifacts", seconds, report):
            artifacts.ensure(
                settings.cache,
                optional=_optional_artifacts(settings),
                progress=report.downloading,
            )
        _require_as_settled(settings)
        with _taken_back_on_failure(settings, supervisor) as starter:
            with _timed("prepare", seconds, report) as details:
                details.extend(_adopt_programs(settings, supervisor))
            for part in parts_of(settings):
                # commits may wait for a standby, and for the watch to end that
                if part.name in FIRST_PARTS and part.name != made_later(settings):
                    starter.launch(part)
            seconds |= run_stages(_stages(settings, starter), report, starter.cancelled)
        training = aot.train_in_background(settings, supervisor)
    return UpResult(seconds, time.monotonic() - begin, starter.started, training)


def _optional_artifacts(settings: Settings) -> list[str]:
    wanted = {ZIPKIN_PART.name: settings.has_zipkin, agent.PART: settings.jvm_metrics == "on"}
    return [name for name, is_wanted in wanted.items() if is_wanted]


def _stages(settings: Settings, starter: Starter) -> list[Stage]:
    """The map of a start: what waits for what."""
    # takes a second, while the first parts are starting already
    from infra import pipeline
    from infra.local.groups import wait_for_groups

    deployment = settings.deployment()
    parts, by = parts_of(settings), PUBLISHED_BY[settings.publisher]
    up_by_name = {part.name: partial(starter.bring_up, part) for part in parts}
    brokers = [part.name for part in parts if part.name in KAFKA]
    services = [part.name for part in parts if part.is_service]
    ready_for_services = ("migrations", "topics", "schemas")
    return [
        Stage("postgres", partial(primary_up, settings, up_by_name[settings.primary])),
        *(Stage(name, up_by_name[name]) for name in brokers),
        Stage("database", lambda: _listed(provision(deployment)), after=("postgres",)),
        *_standby(settings, starter, up_by_name),
        Stage("registry", up_by_name["registry"], after=("database",)),
        Stage("migrations", lambda: _listed(pipeline.migrate(deployment)), after=("database",)),
        Stage("topics", lambda: _listed(pipeline.apply_topics(deployment)), after=tuple(brokers)),
        Stage(
            "schemas",
            lambda: _listed(pipeline.publish_schemas(deployment)),
            after=("registry", "topics"),
        ),
        *(Stage(name, up_by_name[name], after=ready_for_services) for name in services),
        *(
            _relay(settings, up_by_name)
            if by == "relay"
            else _connector(settings, up_by_name, brokers, starter.cancelled)
        ),
        Stage("retention", up_by_name["retention"], after=("migrations",)),
        *(
            Stage(name, up_by_name[name], after=ready_for_services)
            for name in (CONSOLE_PART.name, METRICS_PART.name)
            if name in up_by_name
        ),
        *(
            [Stage("zipkin", up_by_name[ZIPKIN_PART.name])]
            if ZIPKIN_PART.name in up_by_name
            else ()
        ),
        Stage(
            "groups",
            lambda: wait_for_groups(settings, starter.cancelled),
            after=tuple(services),
        ),
        Stage(
            "canary",
            lambda: f"commit to Kafka in {pipeline.send_canary(deployment) * 1000:.0f} ms",
            after=(by, "schemas"),
        ),
        Stage("declared", lambda: require_declared(deployment), after=("canary", "groups")),
    ]


def _standby(
    settings: Settings, starter: Starter, up_by_name: Mapping[str, Callable[[], str]]
) -> list[Stage]:
    """Stages to a standby of the database, which is waited for: it has what is answered from then on."""
    if (name := settings.standby) is None:
        return []

    def made() -> str:
        copied = make.ensure_copy(settings)
        return up_by_name[name]() or copied

    return [
        Stage(watch.NAME, up_by_name[watch.NAME], after=("database",)),
        Stage("standby", made, after=("database",)),
        Stage(
            "synchronised",
            lambda: make.wait_until_protected(settings, starter.cancelled),
            after=("standby", PUBLISHED_BY[settings.publisher], watch.NAME),
        ),
    ]


def _connector(
    settings: Settings,
    up_by_name: Mapping[str, Callable[[], str]],
    brokers: Sequence[str],
    cancelled: threading.Event,
) -> list[Stage]:
    """Stages to a connector that publishes."""
    from infra import pipeline
    from infra.local import publishing

    workers = [name for name in up_by_name if name in CONNECT]
    # what it stores is to be kept by several brokers: it gives up when it finds one of them alone
    after = tuple(brokers) if len(brokers) > 1 else ()
    return [
        *(Stage(name, up_by_name[name], after=after) for name in workers),
        Stage(
            "handover",
            lambda: publishing.to_connector(settings, cancelled),
            after=(*workers, "migrations", "topics"),
        ),
        Stage(
            "connector",
            lambda: pipeline.told_of_connectors(pipeline.apply_connectors(settings.deployment())),
            after=("handover",),
        ),
    ]


def _relay(settings: Settings, up_by_name: Mapping[str, Callable[[], str]]) -> list[Stage]:
    """Stages to a relay that publishes; when it does, nothing has to be kept for the connector any more."""
    from infra.local import publishing

    return [
        Stage("handover", lambda: publishing.to_relay(settings), after=("migrations", "topics")),
        *(
            Stage(name, up_by_name[name], after=("handover",))
            for name in up_by_name
            if name in RELAY
        ),
        Stage("slot", lambda: publishing.drop_slot(settings), after=("canary",)),
    ]


def _listed(names: list[str]) -> str:
    if len(names) > LISTED:
        return f"{', '.join(names[:LISTED])} and {len(names) - LISTED} more"
    return ", ".join(names)


def _alive(supervisor: Supervisor) -> set[str]:
    return {process.name for process in supervisor.processes().values() if process.is_alive}


def _end_leftovers(settings: Settings, supervisor: Supervisor) -> list[str]:
    """Without supervisord nothing of this stack should run; if something does, it is ended first."""
    if supervisor.is_running() or not (ended := leftovers.end(settings.home)):
        return []
    return [f"ended {ended} processes that nobody supervised"]


def _require_as_settled(settings: Settings) -> None:
    """Refuse settings by which a context would be in another database, or be captured by other connectors.

    That is before anything that runs is disturbed.
    """
    if postgres.is_ready(settings, settings.primary):
        with suppress(psycopg.OperationalError):  # which is told when roles are made
            require_at_home(settings.deployment(), SUPERUSER)
            require_shards(settings.deployment(), SUPERUSER)


def _adopt_programs(settings: Settings, supervisor: Supervisor) -> list[str]:
    """Give supervisord the present programs; those whose definition changed are stopped for that."""
    ensure_passwords(settings)
    programs = keep_running(settings.home, prepare_programs(settings), _alive(supervisor))
    remember(settings.home, programs)
    if not supervisor.is_running():
        supervisor.start_daemon(programs)
        return []
    return [f"{name} changed" for name in supervisor.apply(programs)]


@contextmanager
def _timed(name: str, seconds: dict[str, float], report: Report) -> Iterator[list[str]]:
    begin = time.monotonic()
    report.started(name)
    details: list[str] = []
    yield details
    seconds[name] = time.monotonic() - begin
    report.finished(name, seconds[name], _listed(details))


@contextmanager
def _taken_back_on_failure(settings: Settings, supervisor: Supervisor) -> Iterator[Starter]:
    ran_before = supervisor.is_running()
    starter = Starter(settings, supervisor)
    try:
        yield starter
    except (LostSlotError, DifferenceError, make.UnprotectedError):
        raise  # what mends it needs Postgres, Kafka and Connect
    except BaseException:
        if ran_before:
            starter.take_back()
        else:
            stop_everything(settings, supervisor)
        raise
