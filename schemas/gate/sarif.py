"""The gate's report as SARIF 2.1.0, which GitHub and other code scanning services show in pull requests."""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any
from urllib.parse import quote

from schemas.gate.check import Report
from schemas.gate.finding import Finding

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
ROOT = "%SRCROOT%"
"""Stands for the root of the repository, to which the paths of findings are relative."""
TOOL = "tailrace"


def as_sarif(report: Report, prefix: str) -> dict[str, Any]:
    """Return a log with one run: every finding is a result at its file and line, every note a notification."""
    rules = list(dict.fromkeys(each.rule for each in report.findings))
    driver = {"name": TOOL, "version": version(TOOL), "rules": [_rule(each) for each in rules]}
    invocation = {
        "executionSuccessful": True,
        "toolExecutionNotifications": [
            {"level": "warning", "message": {"text": note}} for note in report.notes
        ],
    }
    run = {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"{TOOL}/contracts/"},
        "originalUriBaseIds": {ROOT: {"description": {"text": "The root of the repository."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [invocation],
        "results": [_result(each, rules, prefix) for each in report.findings],
    }
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _rule(rule: str) -> dict[str, Any]:
    words = rule.replace("-", " ")
    return {
        "id": rule,
        "name": "".join(word.capitalize() for word in words.split()),
        "shortDescription": {"text": f"{words.capitalize()}."},
        "defaultConfiguration": {"level": "error"},
    }


def _result(finding: Finding, rules: Sequence[str], prefix: str) -> dict[str, Any]:
    place = f"{finding.subject} {finding.path}"
    return {
        "ruleId": finding.rule,
        "ruleIndex": rules.index(finding.rule),
        "level": "error",
        "message": {"text": f"{finding}."},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {
                        "uri": quote(finding.file or f"{prefix}catalogue.toml", errors="replace"),
                        "uriBaseId": ROOT,
                    },
                    "region": {"startLine": finding.line or 1},
                },
                "logicalLocations": [{"fullyQualifiedName": place}],
            }
        ],
        # The same finding is told again as the same, though lines above it come and go.
        "partialFingerprints": {
            "tailraceFinding/v1": _digest(f"{finding.rule}\n{place}\n{finding.problem}")
        },
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]
