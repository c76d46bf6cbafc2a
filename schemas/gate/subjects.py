"""The gate for events: every message of the catalogue, and every reader of one, against the older schemas."""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from schemas.catalogue import Catalogue
from schemas.gate.avro.model import Record
from schemas.gate.baseline import Baseline
from schemas.gate.catalogued import (
    Promises,
    misnamed,
    missing,
    moved,
    not_catalogued,
    removed,
    useless_reader,
)
from schemas.gate.finding import Finding
from schemas.gate.judge import judge
from schemas.gate.lineage import Older
from schemas.gate.lines import line_of
from schemas.gate.modes import Mode, Version
from schemas.gate.pinned import unfillable, unreadable
from schemas.gate.sources import MalformedFileError, catalogue, document, record, references, whole
from schemas.gate.topics import changes
from schemas.gate.tree import AVRO, CATALOGUE, READERS, SUFFIXES, Files, below, message_of, path_of

_RENAMED = re.compile(r"renamed from (\w+) to ")


class AvroGate:
    """Judges the Avro contracts of a state of the repository."""

    def __init__(self, tree: Files, baseline: Baseline) -> None:
        self._tree = tree
        self._baseline = baseline
        self._prefix = baseline.prefix
        self._before = Promises.of(baseline.files)
        self._read: dict[str, Record | None] = {}
        self._refused: set[tuple[str, str]] = set()
        self.notes: list[str] = []
        self.checked = 0

    def findings(self) -> Iterator[Finding]:
        """Yield whatever is wrong, and count the messages that were checked."""
        if self._baseline.is_whole and not self._before.is_readable:
            self.notes.append(
                f"{CATALOGUE} of {self._baseline.title} is malformed, so that no removed message is noticed."
            )
        try:
            declared = catalogue(self._tree)
        except MalformedFileError as error:
            yield error.finding(CATALOGUE, "catalogue-malformed", self._prefix + CATALOGUE)
            with suppress(MalformedFileError):
                yield from self._judged(catalogue(self._baseline.files))
            return
        yield from self._topics(declared)
        yield from self._judged(declared)
        yield from self._strays(set(declared.messages))

    def _topics(self, declared: Catalogue) -> Iterator[Finding]:
        text = self._tree.get(CATALOGUE, "")
        for change in changes(self._before, declared, text, self._prefix):
            found = change.finding
            if change.is_allowed:
                self.notes.append(f"{found.subject}: {found.problem}. {found.fix}.")
            else:
                yield found

    def _judged(self, declared: Catalogue) -> Iterator[Finding]:
        for name in declared.messages:
            yield from self._moved(name, declared)
            yield from self._message(name, declared)
        for path in below(self._tree, READERS):
            yield from self._reader(path, declared)

    def _strays(self, declared: set[str]) -> Iterator[Finding]:
        carried = self._before.messages - declared if self._baseline.is_whole else set()
        for name in sorted(carried):
            if self._before.mode(name) is not Mode.NONE:
                yield removed(name, self._before, self._prefix)
        schemas = {path: text for path, text in self._tree.items() if path.startswith(AVRO)}
        parts = {path for text in schemas.values() for path in references(text)}
        for path in schemas.keys() - parts:
            name = message_of(path)
            if name not in declared | carried:
                yield not_catalogued(name, path, self._prefix)

    def _moved(self, name: str, declared: Catalogue) -> Iterator[Finding]:
        """Yield that a message left a topic; one that promises nothing may, which is told."""
        if not self._baseline.is_whole:
            return
        now, text = [each.name for each in declared.topics_of(name)], self._tree.get(CATALOGUE, "")
        for found in moved(name, self._before, now, text, self._prefix):
            if Mode.NONE in {self._before.mode(name), Mode(declared.compatibility_of(name))}:
                self.notes.append(f"{name} {found.problem}.")
            else:
                yield found

    def _message(self, name: str, declared: Catalogue) -> Iterator[Finding]:
        self.checked += 1
        path, mode = path_of(name), Mode(declared.compatibility_of(name))
        file = self._prefix + path
        if path not in self._tree:
            yield missing(
                name, declared.topic_of(name), self._tree.get(CATALOGUE, ""), self._prefix
            )
            return
        text, complete = self._tree[path], whole(path, self._tree)
        try:
            schema = record(complete, within=text)
        except MalformedFileError as error:
            yield error.finding(name, "schema-malformed", file)
            return
        if schema.name != name:
            yield misnamed(name, schema, file)
        for found in judge(name, schema, self._older(name, complete, mode), mode):
            self._refused.add((name, _old_field(found)))
            yield replace(found, file=file, line=line_of(text, found.path))

    def _older(self, name: str, text: str, mode: Mode) -> list[Version]:
        """Return what a schema is judged against.

        One that is what it was under the same promise was judged when it came; else a message that once broke its
        promise on purpose would be refused for ever after.
        """
        path = path_of(name)
        if self._baseline.is_whole and path in self._baseline.files:
            was = self._before.mode(name)
            if was is not mode:
                self.notes.append(f"{name} promised {was} and now promises {mode}.")
            elif self._is_same(text, whole(path, self._baseline.files)):
                return []
        return self._versions(name, self._baseline.history(name))

    @staticmethod
    def _is_same(text: str, other: str) -> bool:
        try:
            return text == other or bool(document(text) == document(other))
        except MalformedFileError:
            return False

    def _versions(self, name: str, history: tuple[Older, ...]) -> list[Version]:
        found = []
        for older in history:
            schema = self._schema(older.text)
            if schema is None:
                self.notes.append(f"{name} of {older.label} is malformed and was left out.")
            else:
                found.append(Version(older.label, schema))
        return found

    def _schema(self, text: str) -> Record | None:
        if text not in self._read:
            try:
                self._read[text] = record(text)
            except MalformedFileError:
                self._read[text] = None
        return self._read[text]

    def _reader(self, below_readers: str, declared: Catalogue) -> Iterator[Finding]:
        consumer, _, name = below_readers.removesuffix(SUFFIXES[READERS]).partition("/")
        path = READERS + below_readers
        file, subject = self._prefix + path, f"{name} as {consumer} reads it"
        if name not in declared.messages or consumer not in declared.consumers_of(name):
            yield useless_reader(subject, consumer, name, file)
            return
        text = self._tree[path]
        try:
            reader = record(text)
        except MalformedFileError as error:
            yield error.finding(subject, "schema-malformed", file)
            return
        promise = Mode(declared.compatibility_of(name))
        olds = self._versions(name, self._baseline.history(name))
        agreed = self._was(path)
        for found in unfillable(subject, reader, olds, promise, agreed=agreed):
            yield replace(found, file=file, line=line_of(text, found.path))
        is_same = self._baseline.files.get(path) == text
        written = self._was(path_of(name)) if is_same else None
        yield from self._read_by(subject, reader, name, written)

    def _was(self, path: str) -> Record | None:
        """Return the schema that a file held before, None if it held none that can be read."""
        files = self._baseline.files
        return self._schema(whole(path, files)) if path in files else None

    def _read_by(
        self, subject: str, reader: Record, name: str, agreed: Record | None
    ) -> Iterator[Finding]:
        """Judge whether it reads what is written from now on; what the message is refused for is said once."""
        path = path_of(name)
        written = self._schema(whole(path, self._tree)) if path in self._tree else None
        for found in unreadable(subject, written, reader, agreed=agreed) if written else ():
            if (name, _old_field(found)) not in self._refused:
                line = line_of(self._tree[path], found.path)
                yield replace(found, file=self._prefix + path, line=line)


def _old_field(finding: Finding) -> str:
    names = finding.path.partition(" ")[2]
    renamed = _RENAMED.match(finding.problem)
    around, dot, _ = names.rpartition(".")
    return f"{around}{dot}{renamed[1]}" if renamed else names
