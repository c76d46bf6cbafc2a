"""Runs buf, which compiles `.proto` files and tells which changes break whom; it needs nothing but the files."""

import json
import os
import shutil
import subprocess
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_TIMEOUT_S = 60
_FOUND = 100
_UNLESS_RESERVED = ("FIELD_NO_DELETE", "ENUM_VALUE_NO_DELETE")
_RULES = [
    f"{rule}_UNLESS_{what}_RESERVED" for rule in _UNLESS_RESERVED for what in ("NUMBER", "NAME")
]
_CONFIGURATION = {
    "version": "v2",
    "breaking": {"use": ["FILE", *_RULES], "except": _UNLESS_RESERVED},
}

_NO_FILES = "tailrace_gate.proto"
"""Stands beside the others on both sides: buf does not compare with nothing."""


@dataclass(frozen=True, slots=True)
class Said:
    """What buf says about a file; `path` is relative to the root of the protos."""

    rule: str
    sentence: str
    path: str | None = None
    line: int | None = None


class BufMissingError(Exception):
    """buf is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "the protos cannot be compiled, because buf is not installed; "
            "install the development dependencies with `make install`"
        )


class BufError(Exception):
    """buf failed for a reason that is no fault of a file."""


class State:
    """One state of the protos, compiled: the descriptors of its files, in the JSON of descriptor.proto."""

    def __init__(self, directory: Path) -> None:
        self._sources, self.image = directory / "protos", directory / "image.json"
        self._sources.mkdir(parents=True)

    def compile(self, texts: Mapping[str, str]) -> list[Said]:
        """Write the files and compile them; what is said about them means that no image was made."""
        shutil.rmtree(self._sources)
        for path, text in {_NO_FILES: 'syntax = "proto3";', **texts}.items():
            (self._sources / path).parent.mkdir(parents=True, exist_ok=True)
            (self._sources / path).write_text(text, encoding="utf-8")
        said = _run(self._sources, "build", ".", "--output", str(self.image))
        return [_quoted(each, texts) for each in said]

    def files(self) -> dict[str, Any]:
        return {
            each["name"]: each
            for each in json.loads(self.image.read_bytes())["file"]
            if not each["bufExtension"]["isImport"] and each["name"] != _NO_FILES
        }

    def changes(self, old: "State") -> list[Said]:
        against = ("--against", str(old.image))
        return _run(self._sources, "breaking", str(self.image), *against, "--exclude-imports")


def _run(directory: Path, command: str, *words: str) -> list[Said]:
    buf = shutil.which("buf", path=sysconfig.get_path("scripts"))
    if buf is None:
        raise BufMissingError
    options = ("--error-format", "json", "--config", json.dumps(_CONFIGURATION))
    try:
        done = subprocess.run(
            [buf, command, *words, *options],
            cwd=directory,
            env=os.environ | {"BUF_CACHE_DIR": str(directory.parent / "cache")},
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BufError(f"buf did not end within {_TIMEOUT_S} s") from error
    if done.returncode == 0:
        return []
    # it writes what does not compile to the one stream, and what breaks to the other
    said = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith(b"{")]
    if done.returncode != _FOUND or not said:
        raise BufError(done.stderr.decode(errors="replace").strip() or "buf gave no reason")
    return [_read(json.loads(line)) for line in said]


def _read(said: Mapping[str, Any]) -> Said:
    sentence = said["message"].rstrip(".")
    return Said(said["type"], sentence, said.get("path"), said.get("start_line"))


def _quoted(said: Said, texts: Mapping[str, str]) -> Said:
    lines = texts.get(said.path or "", "").splitlines()
    if said.line is None or said.line > len(lines):
        return said
    sentence = f"{said.sentence} in `{lines[said.line - 1].strip()[:120]}`"
    return Said(said.rule, sentence, said.path, said.line)
