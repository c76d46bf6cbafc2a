"""A replay, understood and planned before anything is made; new, or resumed."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from cdc.reconciliation import Progress
from consumers.replay.engine import count
from consumers.replay.errors import ChoiceError, ReplayError
from consumers.replay.log_source import Urls
from consumers.replay.outside import CapturedOutside
from consumers.replay.plan import as_json, make_plan, open_source, places_of
from consumers.replay.sandbox_run import ReplayTarget
from consumers.replay.selection import Selection
from consumers.replay.source import Plan, Source
from consumers.replay.state import Mode, RunState, new_run_id
from consumers.runtime.store import Place
from infra.deployment import Deployment
from infra.errors import RequestError
from infra.operations.replay.code import current_code, current_commit
from infra.operations.replay.request import ReplayRequest
from infra.replay import UnknownConsumerError, find_worker, log_url, states, subject_of
from schemas.codec import Codec
from schemas.registry import SchemaStore


@dataclass(slots=True)
class Run:
    """A planned replay, new or resumed, with the state that is saved of it."""

    deployment: Deployment
    request: ReplayRequest
    subject: ReplayTarget | None
    selection: Selection
    plan: Plan
    state: RunState
    is_resumed: bool = False
    is_saved: bool = False  # whether it can be resumed when it ends now

    @property
    def consumer(self) -> ReplayTarget:
        """The consumer that is meant; only a replay to a topic may have none."""
        if self.subject is None:
            raise RequestError("Say whose handlers are called: --consumer analytics.")
        return self.subject

    def save(self) -> None:
        states(self.deployment).save(self.state)
        self.is_saved = True

    def forget(self) -> None:
        states(self.deployment).forget(self.state.run_id)
        self.is_saved = False

    @contextmanager
    def resumable(self) -> Iterator[None]:
        """Remember it until the block ends; forget at once what would fail in the same way again."""
        self.save()
        try:
            yield
        except ChoiceError:
            self.forget()
            raise
        self.forget()

    def open_source(self) -> Source:
        return _open_source(self.deployment, self.selection, self.plan)


def find_subject(deployment: Deployment, name: str) -> ReplayTarget:
    try:
        return subject_of(deployment, find_worker(name))
    except UnknownConsumerError as error:
        raise RequestError(str(error)) from error


def begin(deployment: Deployment, request: ReplayRequest) -> Run:
    """Plan a new replay; nothing is made yet."""
    mode: Mode = "topic" if request.to_topic else "live" if request.live else "sandbox"
    if request.consumer is None and mode != "topic":
        raise RequestError("Say whose handlers are called: --consumer analytics.")
    subject, selection = _select(deployment, request)
    plan = _plan(deployment, selection, request)
    state = RunState(
        run_id=new_run_id(),
        mode=mode,
        asked=request.choices(),
        plan=as_json(plan),
        target=request.to_topic or "",
        code=current_code(),
        commit=current_commit(),
    )
    return Run(deployment, request, subject, selection, plan, state)


def resume(deployment: Deployment, request: ReplayRequest) -> Run:
    """Return a replay that was interrupted; ReplayError when there is none that could be resumed."""
    state = states(deployment).load(request.resume or "")
    before = request.resumed(state)
    if before.consumer is None and state.mode != "topic":
        raise ReplayError(f"the replay {state.run_id} does not say whose handlers it calls")
    subject, selection = _select(deployment, before)
    plan = state.planned()
    return Run(deployment, before, subject, selection, plan, state, is_resumed=True, is_saved=True)


@dataclass(frozen=True, slots=True)
class Counted:
    """What a replay would read, and how many messages of each range would be replayed."""

    selection: Selection
    plan: Plan
    counts: Mapping[Place, int]


def count_messages(deployment: Deployment, request: ReplayRequest, progress: Progress) -> Counted:
    _, selection = _select(deployment, request)
    plan = _plan(deployment, selection, request)
    if not selection.is_filtered:
        return Counted(selection, plan, {each.place: each.count for each in plan.ranges})
    source = _open_source(deployment, selection, plan)
    try:
        with progress("looked at", plan.total) as show:
            counting = count(source, places_of(plan), lambda moved: show(moved.read))
            return Counted(selection, plan, asyncio.run(counting))
    finally:
        source.close()


def _select(
    deployment: Deployment, request: ReplayRequest
) -> tuple[ReplayTarget | None, Selection]:
    """Return whose handlers are meant, and the messages, of the topics that the consumer reads."""
    if request.consumer is None:
        return None, request.selection()
    subject = find_subject(deployment, request.consumer)
    reads = subject.build(subject.url, CapturedOutside()).topics
    selection = request.selection(reads)
    if foreign := [topic for topic in selection.topics if topic not in reads]:
        raise RequestError(
            f"{subject.name} does not read {', '.join(foreign)}; it reads {', '.join(reads)}."
        )
    return subject, selection


def _plan(deployment: Deployment, selection: Selection, request: ReplayRequest) -> Plan:
    now = datetime.now(UTC)
    return make_plan(deployment.kafka_bootstrap, _logs(deployment), selection, now, request.source)


def _open_source(deployment: Deployment, selection: Selection, plan: Plan) -> Source:
    codec = Codec(SchemaStore(deployment.registry, deployment.schema_cache), ())
    return open_source(plan, selection, deployment.kafka_bootstrap, _logs(deployment), codec)


def _logs(deployment: Deployment) -> Urls:
    return partial(log_url, deployment)
