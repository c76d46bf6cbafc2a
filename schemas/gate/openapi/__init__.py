"""The gate for REST: compares two OpenAPI 3.1 documents and names every change that breaks a client."""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from schemas.gate.finding import Finding
from schemas.gate.lines import line_at
from schemas.gate.openapi.access import check_access
from schemas.gate.openapi.document import (
    BROKEN,
    BrokenPartError,
    Document,
    UnknownReferenceError,
)
from schemas.gate.openapi.lifetimes import check_removal, check_sunset
from schemas.gate.openapi.operations import Operation, Site, operations
from schemas.gate.openapi.requests import check_request
from schemas.gate.openapi.responses import check_responses
from schemas.gate.openapi.rules import Direction
from schemas.gate.openapi.schemas import Comparison
from schemas.gate.openapi.shapes import text
from schemas.gate.openapi.structure import Fault, sound


def check(
    service: str,
    baseline: Mapping[str, Any],
    tree: Mapping[str, Any],
    *,
    today: date,
    file: str | None = None,
    source: str = "",
) -> list[Finding]:
    """Return every change between two OpenAPI documents that breaks a client, and what is malformed in the new one.

    What is malformed in the old one is no measure.
    """
    if not is_known(tree):
        return [_version_unknown(service, tree.get("openapi"), file)]
    new, faults = sound(tree)
    findings = [_malformed(service, fault, file, source) for fault in faults]
    old, _ = sound(baseline)
    if is_known(baseline) and BROKEN not in (old, new) and text(old) != text(new):
        gate = _Gate(service, Document(old, is_old=True), Document(new), today, (file, source))
        findings += gate.findings()
    return list(dict.fromkeys(findings))


def is_known(content: Mapping[str, Any]) -> bool:
    return str(content.get("openapi")).startswith("3.1.")


def _malformed(service: str, fault: Fault, file: str | None, source: str) -> Finding:
    return Finding(
        subject=service,
        path=fault.path,
        rule="document-malformed",
        problem=fault.problem,
        fix="Mend the file; what refers to it cannot be compared before",
        file=file,
        line=line_at(source, fault.pointer) if source else None,
    )


class _Gate:
    """Two documents of one service, and what remembers their schemas."""

    def __init__(
        self,
        service: str,
        old: Document,
        new: Document,
        today: date,
        written: tuple[str | None, str],
    ) -> None:
        self._service = service
        self._old, self._new = old, new
        self._today = today
        self._written = written
        self._requests = Comparison(Direction.REQUEST, old, new)
        self._responses = Comparison(Direction.RESPONSE, old, new)

    def findings(self) -> Iterator[Finding]:
        now = operations(self._new)
        for call, old in operations(self._old).items():
            site = Site(self._service, old, *self._written)
            if "$ref" in old.spec:
                continue  # it could not be read before, and is no measure
            if call in now:
                yield from self._checked(site, old, now[call])
            else:
                yield from check_removal(site, self._today)

    def _checked(self, site: Site, old: Operation, new: Operation) -> Iterator[Finding]:
        try:
            self._new.resolve(new.spec)
            yield from check_sunset(site, old, new)
            yield from check_access(site, old, new)
            yield from check_request(site, self._requests, old, new)
            yield from check_responses(site, self._responses, old, new)
        except BrokenPartError:
            return  # it has been said of the part
        except UnknownReferenceError as error:
            problem = f"{error}, so that this operation cannot be judged"
            yield site.finding("", "reference-unknown", problem, "Mend the reference")


def _version_unknown(service: str, version: Any, file: str | None) -> Finding:
    return Finding(
        subject=service,
        path="/openapi",
        rule="openapi-version-unknown",
        problem=f"the document is written in OpenAPI {version}, and the gate knows 3.1 only",
        fix="Generate it as OpenAPI 3.1",
        file=file,
    )
