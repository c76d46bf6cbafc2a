"""Every kind of change of a message, an enum or a service, and the gate's verdict on it: `proto_cases.toml`."""

import tomllib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.gate import proto
from schemas.gate.finding import Finding

TABLE: dict[str, Any] = tomllib.loads(Path(__file__).with_name("proto_cases.toml").read_text())


@dataclass(frozen=True)
class Case:
    """One change: what replaces what in the table's base, before it (`base`) and with it (`change`).

    Each has a package of its own, so that all compile at once.
    """

    name: str
    base: dict[str, str]
    change: dict[str, str]
    found: tuple[tuple[str, str], ...]

    @property
    def package(self) -> str:
        return self.name.replace(" ", "_") + ".v1"

    @property
    def path(self) -> str:
        return self.package.replace(".", "/") + "/users.proto"

    def text(self, *, changed: bool) -> str:
        body: str = TABLE["base"]
        for before, after in (self.change if changed else self.base).items():
            assert body.count(before) == 1, f"{self.name}: {before!r} is not in the base once"
            body = body.replace(before, after)
        return f'syntax = "proto3";\npackage {self.package};\n{body}'


def _cases(kind: str) -> list[Case]:
    return [
        Case(
            row["name"], row.get("base", {}), row["change"], tuple(map(tuple, row.get("found", ())))
        )
        for row in TABLE[kind]
    ]


ALLOWED, REFUSED = _cases("allowed"), _cases("refused")
Findings = dict[str, list[Finding]]


@pytest.fixture(scope="module")
def findings() -> Findings:
    """What the gate says about all cases, by package."""
    cases = [*ALLOWED, *REFUSED]
    before = {case.path: case.text(changed=False) for case in cases}
    after = {case.path: case.text(changed=True) for case in cases}
    found: Findings = defaultdict(list)
    for finding in proto.check(before, after):
        found[finding.subject].append(finding)
    return found


def _named(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", ALLOWED, ids=_named)
def test_harmless_change_passes(case: Case, findings: Findings) -> None:
    assert findings[case.package] == []


@pytest.mark.parametrize("case", REFUSED, ids=_named)
def test_breaking_change_is_named_with_its_fix(case: Case, findings: Findings) -> None:
    found = findings[case.package]
    start = f"{case.package} /{case.path}: "
    said = [(finding.rule, str(finding).removeprefix(start)) for finding in found]
    assert said == list(case.found)
    assert {finding.file for finding in found} == {case.path}


@pytest.mark.parametrize(
    ("name", "needle"),
    [
        ("type changed", "string age = 2;"),
        ("field removed", "message User {"),
        ("enum value renumbered", "enum Level {"),
        ("rpc request changed", "rpc Get(Person)"),
    ],
)
def test_a_finding_points_at_the_line(name: str, needle: str, findings: Findings) -> None:
    case = next(case for case in REFUSED if case.name == name)
    line = findings[case.package][0].line
    assert line is not None
    assert needle in case.text(changed=True).splitlines()[line - 1]
