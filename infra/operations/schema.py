"""The schema registry: publishing what changed, and who published what."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from infra.deployment import Deployment
from infra.drift.difference import told
from infra.drift.registry import id_differences
from infra.errors import TailraceError
from schemas import publish as publishing
from schemas import publisher
from schemas.gate.diff import MessageChange, between
from schemas.publications import Publication, PublicationLog
from schemas.publish_plan import Planned, Progress, contracts, plan
from schemas.registry_subjects import Registered, Subjects


class LostIdsError(TailraceError):
    """The registry does not know ids that are in use."""


class UnknownSubjectError(TailraceError):
    """The registry knows no such subject."""


@dataclass(frozen=True, slots=True)
class PublishedSubject:
    """Result of publishing a subject; in a dry run, the expected result."""

    subject: str
    version: int | None
    schema_id: int | None
    state: str


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One version of a subject and what is known of its publication."""

    version: int
    schema_id: int
    published_at: datetime | None
    publisher: str | None
    revision: str | None


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a subject, with what it changed."""

    published: HistoryEntry
    text: str
    change: MessageChange | None  # since the one before; None where nothing changed that is told


def publish(
    deployment: Deployment, progress: Progress, *, dry_run: bool = False, new_ids: bool = False
) -> list[PublishedSubject]:
    """Register the schemas that the registry lacks; BrokenContractError says which ones the gate refuses."""
    if dry_run:
        with Subjects.open(deployment.registry) as subjects:
            return [_planned(each) for each in plan(subjects, contracts(), progress)]
    if not new_ids:
        _require_known_ids(deployment)
    done = publishing.publish(
        deployment.registry_writer,
        PublicationLog(deployment.kafka_bootstrap),
        publisher.present(),
        progress=progress,
    )
    return [
        PublishedSubject(each.subject, each.version, each.schema_id, each.state) for each in done
    ]


def history(deployment: Deployment, subject: str) -> list[HistoryEntry]:
    """Return the versions of a subject, oldest first."""
    return joined(
        _held(deployment, subject), PublicationLog(deployment.kafka_bootstrap).read(subject)
    )


def versions(deployment: Deployment, subject: str) -> list[Version]:
    """Return the same with their texts and what each changed, newest first."""
    held = _held(deployment, subject)
    entries = joined(held, PublicationLog(deployment.kafka_bootstrap).read(subject))
    before = [None, *(each.text for each in held)]
    found = [
        Version(entry, each.text, between(subject, previous, each.text))
        for entry, each, previous in zip(entries, held, before, strict=False)
    ]
    return found[::-1]


def _held(deployment: Deployment, subject: str) -> list[Registered]:
    with Subjects.open(deployment.registry) as subjects:
        versions = subjects.versions(subject)
    if not versions:
        raise UnknownSubjectError(
            f"The registry holds no version of {subject}: `tailrace schema list` shows the messages, "
            "and `make schema-publish` publishes them."
        )
    return versions


def joined(
    versions: Sequence[Registered], publications: Sequence[Publication]
) -> list[HistoryEntry]:
    """Return the versions with what the log says of each, which is nothing if it was registered in another way."""
    known = {(each.version, each.schema_id): each for each in publications}
    entries = []
    for each in versions:
        found = known.get((each.version, each.schema_id))
        said = (found.published_at, found.publisher, found.revision) if found else (None,) * 3
        entries.append(HistoryEntry(each.version, each.schema_id, *said))
    return entries


def _require_known_ids(deployment: Deployment) -> None:
    """Hand out no second id for a schema that messages name by its first."""
    if lost := id_differences(deployment):
        what, remedy = told(lost)
        raise LostIdsError(
            f"Nothing was published, because the registry has lost ids that messages name: {what}. {remedy[0].upper()}"
            f"{remedy[1:]}; --new-ids publishes all the same."
        )


def _planned(each: Planned) -> PublishedSubject:
    held = each.held
    version, schema_id = (held.version, held.schema_id) if held else (None, None)
    return PublishedSubject(each.contract.subject, version, schema_id, each.state)
