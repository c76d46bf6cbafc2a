"""Publishing messages again to another topic."""

from dataclasses import dataclass

from cdc.reconciliation import Progress
from consumers.replay.errors import EmptyRangeError
from consumers.replay.to_topic import Republisher, require_topic
from infra.operations.replay.run import Run


@dataclass(frozen=True, slots=True)
class Republished:
    """How many messages a replay has published to a topic."""

    run_id: str
    topic: str
    messages: int


def require_target(run: Run) -> None:
    """Refuse a topic that is missing or read itself; make it if that is asked for."""
    bootstrap = run.deployment.kafka_bootstrap
    require_topic(bootstrap, run.state.target, run.plan, create=run.request.create)


def into_topic(run: Run, progress: Progress) -> Republished:
    """Publish messages with the bytes and headers that they had."""
    state, source = run.state, run.open_source()
    republisher = Republisher(run.deployment.kafka_bootstrap, state.target, state.note, run.save)
    with run.resumable(), progress("published", run.plan.total) as show:
        records = republisher.run(
            source,
            state.places(),
            tell=lambda moved: show(moved.read),
            rate=run.request.rate,
        )
    if not records and not run.is_resumed:
        raise EmptyRangeError(f"no message in the range matches the filters{source.complaint()}")
    return Republished(state.run_id, state.target, records)
