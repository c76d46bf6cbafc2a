"""What there is to publish, judged by the gate before anything is done."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from schemas.catalogue import Catalogue, catalogue
from schemas.contracts import canonical
from schemas.gate import judge as gate
from schemas.gate.avro.model import Place, Type
from schemas.gate.avro.parse import MalformedSchemaError, parse
from schemas.gate.finding import Finding
from schemas.gate.modes import Mode, Version
from schemas.registry_subjects import IncompatibleSchemaError, Registered, Subjects

Progress = Callable[[str, int, int], None]
"""Told the subject that is done, how many are, and of how many."""

State = Literal["published", "rule set", "unchanged"]


class BrokenContractError(Exception):
    """The gate refuses; nothing was registered."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(
            "nothing was published: " + "; ".join(str(finding) for finding in findings)
        )
        self.findings = tuple(findings)


@dataclass(frozen=True, slots=True)
class Contract:
    """A schema of the tree, to be published."""

    subject: str
    text: str
    rule: str


@dataclass(frozen=True, slots=True)
class Planned:
    """What publishing would do with one contract."""

    contract: Contract
    state: State  # what there is to do; "unchanged" is nothing
    held: Registered | None  # the registry's version of it, None if there is none


def contracts(declared: Catalogue | None = None) -> list[Contract]:
    """Return what the tree publishes, in the catalogue's order.

    No schema needs another one to be there before: named types that several share are part of each text.

    Raises:
        BrokenContractError: a message has no schema that can be read.
    """
    declared = declared or catalogue()
    return [_contract(name, declared.compatibility_of(name)) for name in declared.messages]


def plan(
    subjects: Subjects, wanted: Sequence[Contract], progress: Progress = lambda *_: None
) -> list[Planned]:
    """Return what publishing would do, having put every change through the gate.

    Raises:
        BrokenContractError: a schema breaks what its subject promises, or is none.
    """
    planned, findings = [], []
    for contract in wanted:
        held = subjects.find(contract.subject, contract.text)
        rule = subjects.rule(contract.subject)
        state: State = "unchanged" if rule == contract.rule else "rule set"
        if held is None:
            state = "published"
            versions = subjects.versions(contract.subject)
            found = judge(contract, versions)
            findings += found
            if versions and rule == contract.rule and not found:
                _ask_registry(subjects, contract)
        planned.append(Planned(contract, state, held))
        progress(contract.subject, len(planned), len(wanted))
    if findings:
        raise BrokenContractError(findings)
    return planned


def judge(contract: Contract, versions: Sequence[Registered]) -> list[Finding]:
    """Return what is wrong with a contract in view of the versions that are published."""
    try:
        new = _parsed(contract.text, "the schema")
        olds = [_version(each) for each in versions]
    except MalformedSchemaError as error:
        return [_malformed(contract.subject, error)]
    return gate.judge(contract.subject, new, olds, Mode(contract.rule))


def _contract(name: str, rule: str) -> Contract:
    try:
        return Contract(name, canonical(name), rule)
    except (LookupError, ValueError) as error:
        problem = f"its schema cannot be read: {error}"
        raise BrokenContractError(
            [_malformed(name, MalformedSchemaError(Place(), problem))]
        ) from error


def _ask_registry(subjects: Subjects, contract: Contract) -> None:
    """Find out beforehand what would otherwise stop the publishing half-way."""
    transitively = Mode(contract.rule).is_transitive
    if not subjects.accepts(contract.subject, contract.text, transitively=transitively):
        raise IncompatibleSchemaError(
            f"nothing was published: the gate finds {contract.subject} {contract.rule} with its older versions, and "
            "the registry does not; docs/decisions/0008-avro-contested-cases.md lists where checkers differ"
        )


def _version(registered: Registered) -> Version:
    label = f"version {registered.version}"
    return Version(label, _parsed(registered.text, f"{label} in the registry"))


def _parsed(text: str, what: str) -> Type:
    try:
        return parse(json.loads(text))
    except MalformedSchemaError as error:
        raise MalformedSchemaError(error.place, f"{what} is malformed: {error.problem}") from error


def _malformed(subject: str, error: MalformedSchemaError) -> Finding:
    return Finding(
        subject=subject,
        path=str(error.place),
        rule="schema-malformed",
        problem=error.problem,
        fix="Mend it; nothing can be compared before",
    )
