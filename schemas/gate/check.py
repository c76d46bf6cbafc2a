"""The gate as a whole: events, protos and OpenAPI documents of the working tree against what there was before."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date

from schemas.gate import proto
from schemas.gate.baseline import Baseline
from schemas.gate.deep import deeply
from schemas.gate.documents import DocumentsGate
from schemas.gate.finding import Finding
from schemas.gate.subjects import AvroGate
from schemas.gate.tree import PROTO, Files, below

MALFORMED = frozenset({"catalogue-malformed", "schema-malformed"})
"""Rules that say that a schema cannot be read, so that nothing can be read with it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a run of the gate found, and what it looked at."""

    against: str
    commit: str | None  # the commit behind it, None for the registry
    messages: int
    protos: int
    documents: int
    seconds: float
    findings: tuple[Finding, ...] = field(default=())
    notes: tuple[str, ...] = field(default=())  # what the user should know besides, as sentences

    @property
    def compatible(self) -> bool:
        return not self.findings

    @property
    def is_readable(self) -> bool:
        return not any(each.rule in MALFORMED for each in self.findings)


def check(tree: Files, baseline: Baseline, *, today: date, started: float) -> Report:
    """Judge every contract; the registry, which has the events alone, says nothing of the others."""
    return deeply(lambda: _check(tree, baseline, today=today, started=started))


def _check(tree: Files, baseline: Baseline, *, today: date, started: float) -> Report:
    events, documents = AvroGate(tree, baseline), DocumentsGate(tree, baseline, today)
    protos = below(tree, PROTO) if baseline.is_whole else {}
    with ThreadPoolExecutor(max_workers=1) as beside:
        # The compiler of the protos is a process of its own, and needs longer than the rest.
        compiled = beside.submit(_protos, protos, baseline)
        findings = [*events.findings(), *documents.findings()]
        findings += [each for each in compiled.result() if each.rule != proto.LEFT_OUT]
        left_out = [each.problem for each in compiled.result() if each.rule == proto.LEFT_OUT]
    notes = (*baseline.notes, *events.notes, *documents.notes, *map("{}.".format, left_out))
    return Report(
        against=baseline.name,
        commit=baseline.commit,
        messages=events.checked,
        protos=len(protos),
        documents=documents.checked,
        seconds=time.perf_counter() - started,
        findings=tuple(findings),
        notes=tuple(dict.fromkeys(notes)),
    )


def _protos(tree: Files, baseline: Baseline) -> list[Finding]:
    """Compare the protos; those that did not change were compiled and judged when they came."""
    before = below(baseline.files, PROTO) if baseline.is_whole else tree
    is_same = before == tree and not any(map(proto.is_unreadable, tree.values()))
    root = baseline.prefix + PROTO
    found = [] if is_same else proto.check(before, tree)
    return [replace(each, file=root + each.file) if each.file else each for each in found]
