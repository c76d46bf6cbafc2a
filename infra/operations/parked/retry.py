"""Having parked messages tried again, and following what becomes of them."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import KafkaError, KafkaException

from cdc.kafka import new_admin
from cdc.reconciliation import Progress
from consumers.runtime.parked.acting import Actions, Audit, Done, busy
from consumers.runtime.parked.following import FailedAgain, Followed
from infra.deployment import Deployment
from infra.errors import TailraceError
from infra.operations.parked.messages import Approve, Selected, Target, open_parked

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.2
KAFKA_TIMEOUT_S = 5.0


class NotFirstError(TailraceError):
    """A message cannot be tried before those in front of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryRequest:
    """Which messages are retried, and how; they are followed for `PATIENCE_S`, and what the rate takes, unless told."""

    target: Target
    by: Audit
    rate: float | None = None
    follow: bool = True
    timeout_s: float | None = None

    def patience_s(self, messages: int) -> float:
        if self.timeout_s is not None:
            return self.timeout_s
        return PATIENCE_S + (messages / self.rate if self.rate else 0)


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that failed again; where it waited behind the one that was retried, that one has taken effect."""

    consumer: str
    place: str
    behind: str | None
    error_class: str
    error_text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryResult:
    """What became of a retry."""

    due: int
    gone: int
    busy: Sequence[str]
    not_running: Mapping[str, str]
    followed: bool
    took_effect: int
    failed: Sequence[Failure]
    waiting: int

    @property
    def is_good(self) -> bool:
        return not (self.busy or self.failed or (self.followed and self.waiting))


def retry(
    deployment: Deployment, request: RetryRequest, approve: Approve, progress: Progress
) -> RetryResult:
    """Retry messages as if they had never failed; BusyError when a worker holds the one that was named."""
    with open_parked(deployment, request.target.selection.consumer) as schemas:
        selected = request.target.find(schemas)
        if request.target.place:
            _require_first(selected[0])
        if len(selected) > 1:
            approve([each.message for each in selected])
        outcomes = _make_due(selected, request)
        if request.target.place and outcomes["busy"]:
            raise busy(selected[0].message)
        due = outcomes["done"]
        idle = _idle_consumers(deployment, due)
        through, failed = 0, list[FailedAgain]()
        if request.follow:
            tried = [each for each in due if each.message.consumer not in idle]
            through, failed = _follow(tried, request.patience_s(len(selected)), progress)
    return RetryResult(
        due=len(due),
        gone=len(outcomes["gone"]),
        busy=[str(each.message.place) for each in outcomes["busy"]],
        not_running=idle,
        followed=request.follow,
        took_effect=through + sum(each.is_behind for each in failed),
        failed=[_failure(each) for each in failed],
        waiting=len(due) - through - len(failed),
    )


def _failure(each: FailedAgain) -> Failure:
    behind = str(each.retried) if each.is_behind else None
    return Failure(each.consumer, str(each.place), behind, each.error_class, each.error_text)


def _require_first(selected: Selected) -> None:
    message = selected.message
    if message.number > 1:
        [(first, _)] = selected.schema.others(message, 1)
        raise NotFirstError(
            f"{message.place} waits behind {first}, the first message of its key that failed: retry or skip that one."
        )


def _make_due(selected: Sequence[Selected], request: RetryRequest) -> Mapping[Done, list[Selected]]:
    outcomes: dict[Done, list[Selected]] = {"done": [], "gone": [], "busy": []}
    for number, each in enumerate(selected):
        actions = Actions(each.schema.connection, request.by)
        delay_s = number / request.rate if request.rate else 0.0
        outcomes[actions.retry(each.message, delay_s=delay_s)].append(each)
    return outcomes


def _idle_consumers(deployment: Deployment, due: Sequence[Selected]) -> dict[str, str]:
    """Return the consumers whose group has no member: nobody picks their messages up."""
    consumers = sorted({each.message.consumer for each in due})
    if not consumers:
        return {}
    kafka = new_admin(deployment.kafka_bootstrap)
    found: dict[str, str] = {}
    answers = kafka.describe_consumer_groups(consumers, request_timeout=KAFKA_TIMEOUT_S)
    for consumer, answer in answers.items():
        try:
            if not answer.result().members:
                found[consumer] = "does not run"
        except KafkaException as error:
            absent = error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND
            found[consumer] = (
                "does not run" if absent else "may not run: Kafka does not say who is at work"
            )
    return found


def _follow(
    tried: Sequence[Selected], timeout_s: float, progress: Progress
) -> tuple[int, list[FailedAgain]]:
    """Wait until each message is through or has failed again; return how many are through, and the failures."""
    by_schema = {id(each.schema): each.schema for each in tried}
    followed = [
        Followed(schema.connection, [each.message for each in tried if each.schema is schema])
        for schema in by_schema.values()
    ]
    deadline = time.monotonic() + timeout_s
    with progress("tried again", len(tried)) as show:
        while True:
            for each in followed:
                each.look()
            waiting = sum(len(each.waiting) for each in followed)
            show(len(tried) - waiting)
            if not waiting or time.monotonic() > deadline:
                break
            time.sleep(LOOK_EVERY_S)
    return sum(each.through for each in followed), [
        failed for each in followed for failed in each.failed
    ]
