"""What pages of replays show, and what is asked for there."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import UUID

from consumers.replay.bounds import Bound
from consumers.replay.where import Condition
from consumers.runtime.parked.message import key_of
from infra.console.board import Panel, Reading, Source
from infra.console.guard import Form
from infra.console.installation import Installation
from infra.console.pages import Pages
from infra.deployment import Deployment
from infra.errors import RequestError
from infra.operations.replay.jobs import Job, jobs
from infra.operations.replay.request import ReplayRequest
from infra.schema_access import Schemas
from infra.services import WORKERS
from schemas.catalogue import catalogue

MOST_ROWS = 1000
SHOWN = 100
"""Messages of each kind that a sandbox would have sent."""
CHOICES = ("consumer", "topic", "start", "end", "key", "type", "id", "where", "code", "rows")


def sources(installation: Installation, _schemas: Schemas) -> tuple[Source, ...]:
    return (Source(name="replays", open=lambda: _jobs(installation.seen), every_s=0.5),)


def panels(pages: Pages) -> tuple[Panel, ...]:
    def replays(readings: Mapping[str, Reading]) -> str:
        return pages.render("panel-replays.html", reading=readings["replays"])

    return (Panel(name="replays", sources=("replays",), render=replays),)


@contextmanager
def _jobs(deployment: Deployment) -> Iterator[Callable[[], list[Job]]]:
    yield lambda: jobs(deployment)


def consumers() -> Sequence[str]:
    return [worker.name for worker in WORKERS]


def topics() -> Sequence[str]:
    return list(catalogue().topics)


def request_of(form: Form, who: str, why: str) -> ReplayRequest:
    """Return what a form asks for.

    Each of its fields takes what the option of the command takes: several with blanks between them, but for conditions,
    of which there is one on a line.
    """
    try:
        return ReplayRequest(
            consumer=form.require("consumer", "whose handlers are called"),
            topics=[form.get("topic")] if form.get("topic") else [],
            start=_bound("From", form.get("start")),
            end=_bound("To", form.get("end")),
            keys=[key_of(each) for each in form.get("key").split()],
            types=form.get("type").split(),
            ids=[UUID(each) for each in form.get("id").split()],
            where=[
                Condition.parse(each) for each in form.get("where").splitlines() if each.strip()
            ],
            code=form.get("code") or None,
            rows=_rows(form.get("rows")),
            dry_run=bool(form.get("dry_run")),
            who=who,
            why=why,
        )
    except ValueError as error:
        raise RequestError(f"Nothing was begun: {error}.") from error


def _bound(name: str, text: str) -> Bound:
    try:
        return Bound.parse(text.split(), datetime.now(UTC))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _rows(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or int(text) > MOST_ROWS:
        raise ValueError(f"rows should be a number up to {MOST_ROWS:,}, not {text!r}")
    return int(text)
