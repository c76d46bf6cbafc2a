"""A change of a message that stands nowhere yet: what it is, whom it concerns, and whether the gate lets it pass."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cdc.text import did_you_mean
from infra.errors import RequestError
from infra.operations.contracts import REGISTRY, Comparison, Where, open_baseline
from schemas.gate import tree
from schemas.gate.baseline import Baseline
from schemas.gate.check import check as judge
from schemas.gate.diff import MessageChange
from schemas.gate.diff import diff as changes_of
from schemas.gate.finding import Finding
from schemas.gate.impact import Impact
from schemas.gate.impact import impact as impact_of
from schemas.gate.sources import catalogue


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """The schema that a message is to have.

    Args:
        against: What it is compared with: `registry`, or `git:` and a revision.
    """

    subject: str
    text: str
    directory: Path
    against: str = REGISTRY


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the gate says of a proposal; nothing was published, and no file changed."""

    subject: str
    against: str
    findings: Sequence[Finding]
    changes: Sequence[MessageChange]
    impacts: Sequence[Impact]

    @property
    def is_good(self) -> bool:
        return not self.findings


def propose(where: Where, proposal: Proposal) -> Judged:
    """Judge a proposal by all that the gate knows; what it says of other messages anyway is left out."""
    path = tree.path_of(proposal.subject)
    files = tree.read(proposal.directory)
    if path not in files:
        near = did_you_mean(proposal.subject, catalogue(files).messages)
        raise RequestError(
            f"there is no {proposal.subject}{near or '; `tailrace schema list` shows what there is'}"
        )
    comparison = Comparison(directory=proposal.directory, against=proposal.against)
    baseline = open_baseline(where, comparison, files)
    proposed = files | {path: proposal.text}
    before = _findings(files, baseline)
    return Judged(
        subject=proposal.subject,
        against=baseline.title,
        findings=[each for each in _findings(proposed, baseline) if each not in before],
        changes=changes_of(proposed, baseline, proposal.subject),
        impacts=[
            each for each in impact_of(proposed, baseline) if each.subject == proposal.subject
        ],
    )


def _findings(files: tree.Files, baseline: Baseline) -> Sequence[Finding]:
    report = judge(files, baseline, today=datetime.now(UTC).date(), started=time.perf_counter())
    return report.findings
