"""Every schema that a message ever had, from what commits did to the files."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from schemas.gate.git import SHORT, Change
from schemas.gate.sources import parts, references, whole
from schemas.gate.tree import AVRO, path_of


@dataclass(frozen=True, slots=True)
class Older:
    """An older text of a message's schema, and what to call it."""

    label: str
    text: str


class Lineage:
    """Works out the history of those messages that somebody asks for."""

    def __init__(self, changes: Sequence[Change], texts: Mapping[str, str]) -> None:
        avro = [each for each in reversed(changes) if each.path.startswith(AVRO)]
        self._commits = [
            (commit, {each.path: texts[each.blob] if each.blob else None for each in group})
            for commit, group in groupby(avro, lambda each: each.commit)
        ]

    def of(self, message: str) -> tuple[Older, ...]:
        """Return the distinct schemas of a message, oldest first; one that came back counts where it was last."""
        path = path_of(message)
        own = [(commit, touched[path]) for commit, touched in self._commits if path in touched]
        texts = [(commit, text) for commit, text in own if text is not None]
        if any(references(text) for _, text in texts):
            texts = self._completed(path)
        versions: dict[str, Older] = {}
        for commit, text in texts:
            versions.pop(text, None)
            versions[text] = Older(commit[:SHORT], text)
        return tuple(versions.values())

    def _completed(self, path: str) -> list[tuple[str, str]]:
        files: dict[str, str] = {}
        needed = frozenset({path})
        found = []
        for commit, touched in self._commits:
            for file, content in touched.items():
                files.pop(file, None)
                if content is not None:
                    files[file] = content
            if path in files and needed & touched.keys():
                found.append((commit, whole(path, files)))
                needed = parts(path, files)
        return found
