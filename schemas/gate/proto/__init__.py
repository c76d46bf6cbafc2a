"""The gate for gRPC: compares two states of the `.proto` files and names every change that breaks somebody."""

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from schemas.gate.finding import Finding
from schemas.gate.json_text import line_in
from schemas.gate.proto.buf import BufError, Said, State
from schemas.gate.proto.costs import cost_of
from schemas.gate.tree import Unreadable

LEFT_OUT = "baseline-does-not-compile"
"""Rule of what is no fault of the change, but leaves a file without a measure."""

_NAMED = re.compile(r'"([^"]+\.proto)"')

Files = Mapping[str, Any]


def check(baseline: Mapping[str, str], tree: Mapping[str, str]) -> list[Finding]:
    """Return every change between two states of the protos that breaks a client or a server.

    Files, in the findings as in the states, are named from the root of the protos.
    """
    with tempfile.TemporaryDirectory(prefix="tailrace-proto-") as directory:
        old, new = (
            State(Path(directory).resolve() / "old"),
            State(Path(directory).resolve() / "new"),
        )
        findings = [_does_not_compile(each) for each in _compile(new, tree)]
        now = new.files()
        findings += [
            _foreign_syntax(each) for each in now.values() if each.get("syntax") != "proto3"
        ]
        if baseline == tree:
            return findings
        findings += [_baseline_does_not_compile(each) for each in _compile(old, baseline)]
        before = old.files()
        uncompiled = tree.keys() - now.keys()
        findings += [
            _breaks(each, path, {**now, **before})
            for each in new.changes(old)
            if (path := _path_of(each)) not in uncompiled
        ]
        for path in before.keys() & now.keys():
            findings += _extensions_changed(before[path], now[path])
    return findings


def is_unreadable(text: str) -> bool:
    return _unreadable("", text) is not None


def _compile(state: State, texts: Mapping[str, str]) -> list[Said]:
    """Compile the files that do compile, and return what is wrong with the others.

    Bytes that are not UTF-8 are complained about and passed over. A file that imports one that does not compile does
    not compile either, which is not said again.
    """
    complaints = [found for path, text in texts.items() if (found := _unreadable(path, text))]
    left = {
        path: text.encode(errors="replace").decode()
        for path, text in texts.items()
        if not isinstance(text, Unreadable)
    }
    gone = texts.keys() - left.keys()
    while said := state.compile(left):
        lost = {path for path, text in left.items() if any(f'"{each}"' in text for each in gone)}
        complaints += [each for each in said if each.path not in lost]
        broken = left.keys() & {each.path for each in said}
        if not broken:
            raise BufError(f"buf cannot compile the protos: {said[0].sentence}")
        gone |= broken
        left = {path: text for path, text in left.items() if path not in gone}
    return complaints


def _unreadable(path: str, text: str) -> Said | None:
    if isinstance(text, Unreadable):
        return Said("", text, path, 1)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return Said("", "the file is not UTF-8", path, line_in(text, error.start))
    return None


def _path_of(said: Said) -> str:
    """Return the file that a change is about; of one that was removed, only the sentence knows."""
    named = _NAMED.search(said.sentence)
    return said.path or (named[1] if named else "")


def _breaks(said: Said, path: str, files: Files) -> Finding:
    cost, fix = cost_of(said.rule)
    sentence = said.sentence[:1].lower() + said.sentence[1:]
    return Finding(
        subject=_package(files.get(path, {"name": path})),
        path=f"/{path}",
        rule=said.rule.lower().replace("_", "-"),
        problem=f"{sentence}; {cost}",
        fix=fix,
        file=path,
        line=said.line,
    )


def _extensions_changed(old: Any, new: Any) -> Iterator[Finding]:
    """Yield extensions with another number, or of another message: buf takes them for new ones."""
    now = dict(_extensions(new, ""))
    for name, was in _extensions(old, ""):
        if now.get(name, was) != was:
            yield Finding(
                subject=_package(old),
                path=f"/{old['name']}",
                rule="extension-changed",
                problem=f"the extension {name} went from {was} to {now[name]}; neither reads the other",
                fix=f"Keep {was}",
                file=old["name"],
            )


def _extensions(holder: Any, around: str) -> Iterator[tuple[str, str]]:
    for each in holder.get("extension", ()):
        yield f"{around}{each['name']}", f"{each['extendee'].removeprefix('.')} {each['number']}"
    for message in holder.get("nestedType" if around else "messageType", ()):
        yield from _extensions(message, f"{around}{message['name']}.")


def _foreign_syntax(file: Any) -> Finding:
    return Finding(
        subject=_package(file),
        path=f"/{file['name']}",
        rule="syntax-not-proto3",
        problem=f"is written in {file.get('syntax', 'proto2')}, and the rules here are those of proto3",
        fix='Write syntax = "proto3"',
        file=file["name"],
        line=1,
    )


def _does_not_compile(said: Said) -> Finding:
    return Finding(
        subject="protos",
        path=f"/{said.path or ''}",
        rule="proto-does-not-compile",
        problem=f"does not compile: {said.sentence}",
        fix="Mend the file; nothing can be compared before",
        file=said.path,
        line=said.line,
    )


def _baseline_does_not_compile(said: Said) -> Finding:
    line = f" (line {said.line})" if said.line else ""
    return Finding(
        subject="protos",
        path=f"/{said.path or ''}",
        rule=LEFT_OUT,
        problem=f"{said.path or 'what'} was left out, for in the baseline it does not compile: {said.sentence}{line}",
        fix="Compare with a state that compiles",
    )


def _package(file: Any) -> str:
    package: str = file.get("package") or file["name"]
    return package
