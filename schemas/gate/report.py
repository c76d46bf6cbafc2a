"""How the gate reports: lines for people, JSON for programs, annotations for pull requests on GitHub."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from schemas.gate.check import Report
from schemas.gate.finding import Finding
from schemas.gate.git import SHORT

_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = _DATA | str.maketrans({":": "%3A", ",": "%2C"})


def summary(report: Report) -> str:
    """Return one line: what was compared with what, how long it took, and the verdict."""
    counted = [_count(report.messages, "Avro message")]
    if report.commit:
        counted.append(_count(report.protos, "proto file"))
        counted.append(_count(report.documents, "OpenAPI document"))
    against = f"{report.against} ({report.commit[:SHORT]})" if report.commit else report.against
    verdict = "compatible" if report.compatible else _count(len(report.findings), "finding")
    what = ", ".join(counted)
    return f"{what} checked against {against} in {report.seconds:.1f} s: {verdict}"


def as_text(report: Report) -> Iterator[str]:
    """Yield a line for each finding, each note, and the summary."""
    yield from map(str, report.findings)
    yield from report.notes
    yield summary(report)


def as_json(report: Report) -> dict[str, Any]:
    return {
        "compatible": report.compatible,
        "against": report.against,
        "commit": report.commit,
        "checked": {
            "avro": report.messages,
            "proto": report.protos,
            "openapi": report.documents,
        },
        "seconds": round(report.seconds, 3),
        "findings": [asdict(each) for each in report.findings],
        "notes": list(report.notes),
    }


def as_github(report: Report) -> Iterator[str]:
    """Yield workflow commands, which GitHub shows at the lines that they name, and the summary."""
    yield from map(_annotation, report.findings)
    yield from (f"::warning::{note.translate(_DATA)}" for note in report.notes)
    yield summary(report)


def error(message: str) -> str:
    """Return the workflow command for a failure that stands in no file."""
    return f"::error::{message.translate(_DATA)}"


def _annotation(finding: Finding) -> str:
    properties = {"file": finding.file, "line": finding.line, "title": _title(finding)}
    given = ",".join(
        f"{name}={str(value).translate(_PROPERTY)}"
        for name, value in properties.items()
        if value is not None
    )
    message = f"{finding.problem}. {finding.fix}"
    return f"::error {given}::{message.translate(_DATA)}"


def _title(finding: Finding) -> str:
    return f"{finding.subject} {finding.path}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
