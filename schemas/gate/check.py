"""The gate as a whole: events, protos and OpenAPI documents of the working tree against what there was before."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from schemas.gate import openapi, proto
from schemas.gate.baseline import Baseline
from schemas.gate.finding import Finding
from schemas.gate.sources import MalformedFileError, document
from schemas.gate.subjects import AvroGate
from schemas.gate.tree import OPENAPI, PROTO, Files, below

NOTHING = {"openapi": "3.1.0", "paths": {}}
"""What is left of an OpenAPI document that was deleted: every operation of it was removed."""
MALFORMED = frozenset({"catalogue-malformed", "schema-malformed"})
"""Rules that say that a schema cannot be read, so that nothing can be read with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run of the gate found, and what it looked at.

    Args:
        against: What the tree was compared with, as the user named it.
        commit: The commit behind it, None for the registry.
        messages: Number of Avro messages that were checked.
        protos: Number of proto files.
        documents: Number of OpenAPI documents.
        seconds: How long it took, with the reading of both.
        findings: Every reason to refuse the change.
        notes: What the user should know besides, as sentences.
    """

    against: str
    commit: str | None
    messages: int
    protos: int
    documents: int
    seconds: float
    findings: tuple[Finding, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())

    @property
    def compatible(self) -> bool:
        """Whether the change breaks nobody."""
        return not self.findings

    @property
    def is_readable(self) -> bool:
        """Whether the schemas can be read at all."""
        return not any(each.rule in MALFORMED for each in self.findings)


def check(tree: Files, baseline: Baseline, *, today: date, started: float) -> Report:
    """Judge every contract; the registry, which has the events alone, says nothing of the others.

    Args:
        tree: The contract files as they are now.
        baseline: What they were before.
        today: The day of the check, for operations that may go after their Sunset date.
        started: What `time.perf_counter()` was when the run began.

    Raises:
        ProtoCompilerMissingError: there are protos, and grpcio-tools is not installed.
    """
    gate = AvroGate(tree, baseline)
    protos, documents = (
        below(tree, kind) if baseline.is_whole else {} for kind in (PROTO, OPENAPI)
    )
    with ThreadPoolExecutor(max_workers=1) as beside:
        # The compiler of the protos is a process of its own, and needs longer than the rest.
        compiled = beside.submit(_protos, protos, baseline)
        findings = [*gate.findings(), *_documents(documents, baseline, today)]
        findings += compiled.result()
    return Report(
        against=baseline.name,
        commit=baseline.commit,
        messages=gate.checked,
        protos=len(protos),
        documents=len(documents),
        seconds=time.perf_counter() - started,
        findings=tuple(findings),
        notes=(*baseline.notes, *dict.fromkeys(gate.notes)),
    )


def _protos(tree: Files, baseline: Baseline) -> list[Finding]:
    """Compare the protos; those that did not change were compiled and judged when they came."""
    before = below(baseline.files, PROTO) if baseline.is_whole else tree
    return [] if before == tree else proto.check(before, tree)


def _documents(tree: Files, baseline: Baseline, today: date) -> Iterator[Finding]:
    """Compare the OpenAPI documents; one that is new breaks nobody."""
    before = below(baseline.files, OPENAPI) if baseline.is_whole else {}
    for path in {**before, **tree}:
        service, file = path.removesuffix(".json"), baseline.prefix + OPENAPI + path
        try:
            now = _openapi(tree[path]) if path in tree else NOTHING
        except MalformedFileError as error:
            yield error.finding(service, "document-malformed", file)
            continue
        was = _before(before.get(path))
        if was is not None:
            for found in openapi.check(service, was, now, today=today, file=file):
                yield replace(found, line=_line(tree.get(path, ""), found))


def _line(text: str, finding: Finding) -> int:
    """Return the line of the operation that a finding is about, which is told as `POST /v1/orders`."""
    _, path, *_ = (*finding.path.split(" "), "", "")
    return text.count("\n", 0, max(text.find(f"{json.dumps(path)}:"), 0)) + 1


def _before(text: str | None) -> dict[str, Any] | None:
    """Return a document as it was; one that could not be read before is no measure."""
    try:
        return None if text is None else _openapi(text)
    except MalformedFileError:
        return None


def _openapi(text: str) -> dict[str, Any]:
    content = document(text)
    if not isinstance(content, dict):
        raise MalformedFileError("/", "an OpenAPI document is an object", 1)
    return content
