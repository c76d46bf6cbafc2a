"""Contracts of a working tree: judged, compared, listed and shown. Against git nothing needs to run."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from cdc.text import did_you_mean
from infra.errors import RequestError
from infra.repository import REPOSITORY
from schemas.gate import tree
from schemas.gate.baseline import Baseline, from_git, from_registry
from schemas.gate.catalogued import Promises
from schemas.gate.check import Report
from schemas.gate.check import check as judge
from schemas.gate.diff import MessageChange
from schemas.gate.diff import diff as changes_of
from schemas.gate.git import GitError
from schemas.gate.impact import Impact
from schemas.gate.impact import impact as impact_of
from schemas.gate.running import check as held_against
from schemas.gate.sources import catalogue

if TYPE_CHECKING:
    from infra.data_check import TopicCheck
    from infra.deployment import Deployment
    from schemas.registry_subjects import Registered

T = TypeVar("T")

DEFAULT = "git:main"
REGISTRY = "registry"

Where = Callable[[], "Deployment"]
"""Says which deployment is meant; asked only where there is no answer without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Contracts of a directory, and what they are compared with: `registry`, or `git:` and a revision."""

    directory: Path
    against: str = DEFAULT

    @property
    def files(self) -> tree.Files:
        return tree.read(self.directory)


@dataclass(frozen=True, slots=True)
class Checked:
    """What the gate found, and how records that there are could be read."""

    report: Report
    prefix: str
    topics: Sequence[TopicCheck]

    @property
    def is_good(self) -> bool:
        return self.report.compatible and not any(topic.undecodable for topic in self.topics)


@dataclass(frozen=True, slots=True)
class Changed(Generic[T]):
    """What changed in the events, and against what."""

    changes: Sequence[T]
    title: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A message, with its latest version in the registry if that was asked for."""

    message: str
    topic: str
    owner: str
    compatibility: str
    change: str | None
    version: int | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Messages:
    """Every message; and why it is not known whether they changed, if that is so."""

    messages: Sequence[Listed]
    unknown_because: str | None


@dataclass(frozen=True, slots=True)
class Shown:
    """The schema of a message as text, and where it is from."""

    subject: str
    where: str
    text: str


def check(
    where: Where, request: Comparison, records: int | None = None, *, sagas: bool = False
) -> Checked:
    """Judge the contracts.

    Args:
        records: How many of the last records of each topic are read with them.
        sagas: Whether they are also held against the sagas that are under way.
    """
    started = time.perf_counter()
    files = request.files
    baseline = open_baseline(where, request, files)
    report = judge(files, baseline, today=datetime.now(UTC).date(), started=started)
    if sagas:
        report = _held_against_sagas(where(), report, files, baseline)
    topics: Sequence[TopicCheck] = ()
    if records and report.is_readable:
        from infra.data_check import check_topics

        topics = check_topics(where(), files, records)
    return Checked(report, baseline.prefix, topics)


def _held_against_sagas(
    deployment: Deployment, report: Report, files: tree.Files, baseline: Baseline
) -> Report:
    from infra.operations.sagas import open_sagas, running

    with open_sagas(deployment) as readers:
        under_way = running(readers)
    named = ", ".join(f"{each.sagas} of {each.saga} {each.version}" for each in under_way)
    return replace(
        report,
        findings=(*report.findings, *held_against(files, baseline, under_way)),
        notes=(*report.notes, f"Sagas under way: {named or 'none'}."),
    )


def diff(where: Where, request: Comparison, subject: str | None = None) -> Changed[MessageChange]:
    files = request.files
    baseline = open_baseline(where, request, files)
    if subject and tree.path_of(subject) not in {**files, **baseline.files}:
        raise RequestError(f"there is no {subject}; `tailrace schema list` shows what there is")
    return Changed(changes_of(files, baseline, subject), baseline.title)


def impact(where: Where, request: Comparison) -> Changed[Impact]:
    files = request.files
    baseline = open_baseline(where, request, files)
    return Changed(impact_of(files, baseline), baseline.title)


def list_messages(where: Where, directory: Path, *, registry: bool = False) -> Messages:
    """Return every message of the catalogue, and whether it changed; MalformedFileError when that cannot be read."""
    comparison = Comparison(directory=directory)
    files = comparison.files
    declared = catalogue(files)
    changed: Mapping[str, str] | None = None
    unknown_because = None
    try:
        baseline = open_baseline(where, comparison, files)
        changed = {each.subject: each.kind for each in changes_of(files, baseline)}
    except GitError as error:
        unknown_because = str(error)
    listed = [
        Listed(
            message=name,
            topic=declared.topic_of(name).name,
            owner=declared.topic_of(name).owner,
            compatibility=declared.compatibility_of(name),
            change=None if changed is None else changed.get(name, "unchanged"),
        )
        for name in declared.messages
    ]
    if registry:
        held = _versions(where, [each.message for each in listed])
        listed = [
            replace(each, version=of[-1].version, id=of[-1].schema_id) if of else each
            for each, of in zip(listed, held, strict=True)
        ]
    return Messages(listed, unknown_because)


def show(
    where: Where, directory: Path, subject: str, *, version: int | None, against: str | None
) -> Shown:
    """Return the schema of a message: that of the directory, or an older one."""
    if version and against not in {None, REGISTRY}:
        raise RequestError("--version is one of the registry; it does not go with git")
    told = f"version {version}" if version else against or "working tree"
    files = tree.read(directory)
    if version:
        [held] = _versions(where, [subject])
        text = {each.version: each.text for each in held}.get(version)
    elif against:
        comparison = Comparison(directory=directory, against=against)
        text = open_baseline(where, comparison, files).files.get(tree.path_of(subject))
    else:
        text = files.get(tree.path_of(subject))
    if text is None:
        near = did_you_mean(subject, catalogue(files).messages)
        raise RequestError(
            f"there is no {subject} in {told}{near or '; `tailrace schema list` shows what there is'}"
        )
    return Shown(subject, told, text)


def keep_golden(subject: str, value: Any = None) -> str | None:
    """Write bytes of a message as its schema is now; return the file, None when there are some of this version."""
    from schemas.json_form import FormError
    from schemas.samples import next_golden

    try:
        made = next_golden(subject, value)
    except (LookupError, FormError) as error:
        raise RequestError(f"{error.args[0]}") from error
    if made is None:
        return None
    path = f"schemas/golden/{made.label}.json"
    (REPOSITORY / path).write_text(made.text())
    return path


def open_baseline(where: Where, request: Comparison, files: tree.Files) -> Baseline:
    if request.against != REGISTRY:
        return from_git(request.directory, request.against.removeprefix("git:"))
    from schemas.registry_subjects import Subjects

    with Subjects.open(where().registry) as subjects:

        def ask(name: str) -> dict[int, str]:
            return {each.version: each.text for each in subjects.versions(name)}

        return from_registry(request.directory, Promises.of(files).messages, ask)


def _versions(where: Where, names: Sequence[str]) -> list[Sequence[Registered]]:
    from schemas.registry_subjects import Subjects

    with Subjects.open(where().registry) as subjects:
        return [subjects.versions(name) for name in names]
