"""The gate for sagas under way: each version that runs reads replies and asks with commands until its sagas have ended.

What a message has promised does not matter here: somebody waits for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from schemas.catalogue import Catalogue
from schemas.gate.baseline import Baseline
from schemas.gate.finding import Finding
from schemas.gate.lines import line_of
from schemas.gate.pinned import unreadable
from schemas.gate.sources import MalformedFileError, catalogue, record, whole
from schemas.gate.tree import CATALOGUE, Files, path_of

RULE = "saga-under-way"
FIX = "Keep what it needs until its sagas have ended; `tailrace saga list` shows them"


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A version of a saga, and how many of it are under way."""

    saga: str
    version: int
    sagas: int
    replies_to: str
    replies: frozenset[str]  # messages that it waits for on that topic
    cancelled_by: frozenset[str]
    commands: frozenset[str]

    @property
    def reads(self) -> frozenset[str]:
        return self.replies | self.cancelled_by

    def __str__(self) -> str:
        return f"{self.saga} {self.version}, {self.sagas} of which {'is' if self.sagas == 1 else 'are'} under way,"


def check(tree: Files, baseline: Baseline, running: Sequence[Running]) -> list[Finding]:
    """Return what sagas under way could not read or send any more."""
    try:
        declared = catalogue(tree)
    except MalformedFileError:
        return []  # the gate has said so
    return [found for each in running for found in _check(each, tree, baseline, declared)]


def _check(
    running: Running, tree: Files, baseline: Baseline, declared: Catalogue
) -> Iterator[Finding]:
    topic = declared.topics.get(running.replies_to)
    on_topic = topic.messages if topic else ()
    for name in sorted(running.reads | running.commands):
        if name not in declared.messages:
            uses = "asks with it" if name in running.commands else "waits for it"
            yield _finding(name, f"the message was removed, and {running} {uses}", baseline)
        elif name in running.replies and name not in on_topic:
            where = f"{running} waits for it there"
            yield _finding(name, f"{running.replies_to} carries it no more, and {where}", baseline)
        elif name in running.reads:
            yield from _unread(name, running, tree, baseline)


def _finding(name: str, problem: str, baseline: Baseline) -> Finding:
    return Finding(
        subject=name,
        rule=RULE,
        problem=problem,
        fix=FIX,
        file=baseline.prefix + CATALOGUE,
        line=1,
    )


def _unread(name: str, running: Running, tree: Files, baseline: Baseline) -> Iterator[Finding]:
    """Yield what cannot be read across the change: either way, for old and new workers and records meet."""
    path = path_of(name)
    if path not in tree or path not in baseline.files:
        return
    text, is_now, was = tree[path], whole(path, tree), whole(path, baseline.files)
    if is_now == was:
        return
    try:
        new, old = record(is_now, within=text), record(was)
    except MalformedFileError:
        return  # the gate has said so, or it was so before
    for found in (*unreadable(name, new, old), *unreadable(name, old, new)):
        yield replace(
            found,
            rule=RULE,
            problem=f"{running} reads it: {found.problem}",
            fix=FIX,
            file=baseline.prefix + path,
            line=line_of(text, found.path),
        )
