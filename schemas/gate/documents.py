"""The gate for OpenAPI documents as files: which there are, which were there, and which cannot be read."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from schemas.gate import openapi
from schemas.gate.baseline import Baseline
from schemas.gate.finding import Finding
from schemas.gate.openapi.structure import sound
from schemas.gate.sources import MalformedFileError, document
from schemas.gate.tree import OPENAPI, Files, below

NOTHING = {"openapi": "3.1.0", "paths": {}}
"""What is left of an OpenAPI document that was deleted: every operation of it was removed."""


class DocumentsGate:
    """Judges the OpenAPI documents of a state of the repository; one that is new breaks nobody.

    Args:
        baseline: What they were before; the registry, which has the events alone, says nothing of these.
    """

    def __init__(self, tree: Files, baseline: Baseline, today: date) -> None:
        self._tree = below(tree, OPENAPI) if baseline.is_whole else {}
        self._before = below(baseline.files, OPENAPI) if baseline.is_whole else {}
        self._baseline = baseline
        self._today = today
        self.notes: list[str] = []

    @property
    def checked(self) -> int:
        return len(self._tree)

    def findings(self) -> Iterator[Finding]:
        for path in {**self._before, **self._tree}:
            service, file = path.removesuffix(".json"), self._baseline.prefix + OPENAPI + path
            source = self._tree.get(path, "")
            try:
                now = NOTHING if path not in self._tree else _read(source)
            except MalformedFileError as error:
                yield error.finding(service, "document-malformed", file)
                continue
            was = self._was(service, path) if path in self._before else now
            yield from openapi.check(service, was, now, today=self._today, file=file, source=source)

    def _was(self, service: str, path: str) -> dict[str, Any]:
        """Return a document as it was; what could not be read of it is no measure, which is told."""
        name = f"{service} of {self._baseline.title}"
        try:
            content = _read(self._before[path])
        except MalformedFileError as error:
            self.notes.append(f"{name} is malformed and was left out: {error.problem}.")
            return NOTHING
        if not openapi.is_known(content):
            self.notes.append(
                f"{name} is written in OpenAPI {content.get('openapi')} and was left out."
            )
            return NOTHING
        if path in self._tree and self._before[path] != self._tree[path]:
            _, faults = sound(content)
            self.notes += [
                f"{name} is malformed at {fault.path}, which was left out: {fault.problem}."
                for fault in faults
            ]
        return content


def _read(text: str) -> dict[str, Any]:
    content = document(text)
    if not isinstance(content, dict):
        raise MalformedFileError("/", "an OpenAPI document is an object", 1)
    return content
