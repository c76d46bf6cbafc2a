"""The operations of an OpenAPI document: found by what clients call, and put into words when something is wrong."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from schemas.gate.finding import Finding
from schemas.gate.lines import line_at
from schemas.gate.openapi.document import BrokenPartError, Document, UnknownReferenceError
from schemas.gate.openapi.rules import Breach
from schemas.gate.openapi.structure import METHODS

_PLACEHOLDER = re.compile(r"\{[^}]*\}")
_VERSION = re.compile(r"/v([0-9]+)(?:/|$)")

Call = tuple[str, str]
"""Method and path with its placeholders emptied: clients cannot tell what they are called."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation and the document that it stands in; `item` is its whole path's, `shared` the path's parameters."""

    method: str
    path: str
    spec: dict[str, Any]
    shared: tuple[Any, ...]
    document: Document
    item: dict[str, Any]

    @property
    def name(self) -> str:
        """Method and path, such as `POST /v1/orders`."""
        return f"{self.method.upper()} {self.path}"

    @property
    def placeholders(self) -> list[str]:
        """The names of the path's parameters, in their order."""
        return [found[1:-1] for found in _PLACEHOLDER.findall(self.path)]


def operations(document: Document) -> dict[Call, Operation]:
    found = {}
    for path, node in document.content.get("paths", {}).items():
        try:
            item = document.resolve(node)
        except (UnknownReferenceError, BrokenPartError):
            item = dict.fromkeys(METHODS, node)  # whoever reads one of them learns it
        for method in METHODS:
            if method in item:
                shared = tuple(item.get("parameters", ()))
                operation = Operation(method, path, item[method], shared, document, item)
                found[method, _PLACEHOLDER.sub("{}", path)] = operation
    return found


@dataclass(frozen=True, slots=True)
class Site:
    """Where findings about an operation stand."""

    service: str
    operation: Operation
    file: str | None
    source: str = ""

    def finding(self, where: str, rule: str, problem: str, fix: str) -> Finding:
        return Finding(
            subject=self.service,
            path=f"{self.operation.name} {where}".rstrip(),
            rule=rule,
            problem=problem,
            fix=fix,
            file=self.file,
            line=line_at(self.source, ("paths", self.operation.path)) if self.source else None,
        )

    def breaking(self, where: str, rule: str, problem: str, fix: str) -> Finding:
        """Return a finding about a change that a new version of the operation may make."""
        return self.finding(where, rule, problem, f"{fix}, or publish {self._next_version}")

    def breaches(self, where: str, breaches: tuple[Breach, ...]) -> Iterator[Finding]:
        for breach in breaches:
            inside = "".join(f"/{step}" for step in breach.path)
            place = f"{where} {inside}".rstrip()
            yield self.breaking(place, breach.rule, breach.problem, breach.fix)

    @property
    def _next_version(self) -> str:
        match = _VERSION.match(self.operation.path)
        return f"/v{int(match[1]) + 1}" if match else "it under another path"
