"""Compiles `.proto` files with the compiler of grpcio-tools, to descriptors that can be compared."""

import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path

from schemas.gate.proto_model import File, read_file
from schemas.gate.tree import Unreadable

COMPILE_TIMEOUT_S = 60
_DIAGNOSTIC = re.compile(r"(?P<file>[^:]+\.proto):(?:(?P<line>\d+):\d+:)? (?P<sentence>.*)")
_NOISE = re.compile(r".*: warning: |WARNING: |[IWE]\d{4} ")


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that the compiler says about a file; `file` is relative to the root of the protos."""

    sentence: str
    file: str | None = None
    line: int | None = None


class ProtoCompileError(Exception):
    """The files do not compile; `diagnostics` says what the compiler has against them."""

    def __init__(self, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__("; ".join(diagnostic.sentence for diagnostic in diagnostics))
        self.diagnostics = diagnostics


class ProtoCompilerMissingError(Exception):
    """grpcio-tools, which brings the compiler, is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "the protos cannot be compiled, because grpcio-tools is not installed; "
            "install the development dependencies with `make install`"
        )


def is_unreadable(text: str) -> bool:
    """Whether a proto is no text that the compiler may be given."""
    return isinstance(text, Unreadable) or (not text.isascii() and _undecoded(text) is not None)


def compile_each(sources: Mapping[str, str]) -> tuple[dict[str, File], list[Diagnostic]]:
    """Return the files that compile, by path, and what the compiler has against the others.

    A file that imports one of the others does not compile either, which is not said again.

    Args:
        sources: As of `compile_protos`; bytes that are not UTF-8 are complained about and then passed over.

    Raises:
        ProtoCompilerMissingError: grpcio-tools is not installed.
    """
    said = [found for path, text in sources.items() if (found := _unreadable(path, text))]
    left = {
        path: text.encode(errors="replace").decode()
        for path, text in sources.items()
        if not isinstance(text, Unreadable)
    }
    gone: set[str] = set(sources) - set(left)
    while left:
        try:
            return compile_protos(left), said
        except ProtoCompileError as error:
            named = {each.file for each in error.diagnostics if each.file in left}
            lost = {each.file for each in error.diagnostics if _imports(each, gone)}
            said += [each for each in error.diagnostics if each.file not in lost]
            gone |= {file for file in named if file}
            left = {path: text for path, text in left.items() if named and path not in named}
    return {}, said


def _unreadable(path: str, text: str) -> Diagnostic | None:
    if isinstance(text, Unreadable):
        return Diagnostic(text, path, 1)
    start = _undecoded(text)
    if start is None:
        return None
    return Diagnostic("the file is not UTF-8", path, text.count("\n", 0, start) + 1)


def _undecoded(text: str) -> int | None:
    """Return where the first byte stands that is not UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        return error.start
    return None


def _imports(diagnostic: Diagnostic, gone: AbstractSet[str]) -> bool:
    return diagnostic.sentence.startswith("Import ") and any(
        f'"{path}"' in diagnostic.sentence for path in gone
    )


def compile_protos(sources: Mapping[str, str]) -> dict[str, File]:
    """Return the compiled files by path. What they import from elsewhere is not among them.

    Args:
        sources: Text of every file by its path below the root of the protos, with forward slashes.

    Raises:
        ProtoCompileError: a file does not compile.
        ProtoCompilerMissingError: grpcio-tools is not installed.
    """
    if not sources:
        return {}
    if importlib.util.find_spec("grpc_tools") is None:
        raise ProtoCompilerMissingError
    with tempfile.TemporaryDirectory(prefix="tailrace-proto-") as directory:
        descriptors = _run(sources, Path(directory).resolve())
    descriptor_pb2 = importlib.import_module("google.protobuf.descriptor_pb2")
    message = importlib.import_module("google.protobuf.message")
    try:
        files = descriptor_pb2.FileDescriptorSet.FromString(descriptors).file
    except message.DecodeError as error:
        strange = Diagnostic(f"what the compiler made of the files cannot be read: {error}")
        raise ProtoCompileError((strange,)) from error
    return {file.name: read_file(file) for file in files}


def _run(sources: Mapping[str, str], directory: Path) -> bytes:
    """Return the serialized descriptor set of the sources; the compiler needs them on disk."""
    root = directory / "protos"
    paths = [root / name for name in sources]
    for path, text in zip(paths, sources.values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    output = directory / "descriptors"
    command = [sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={root}"]
    command += ["--include_source_info", f"--descriptor_set_out={output}", *map(str, paths)]
    # In this process the compiler would write its complaints past Python to the terminal.
    try:
        done = subprocess.run(command, capture_output=True, timeout=COMPILE_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as error:
        late = Diagnostic(f"the compiler did not end within {COMPILE_TIMEOUT_S} s")
        raise ProtoCompileError((late,)) from error
    if done.returncode:
        complaints = done.stderr.decode(errors="replace").replace(f"{root}/", "")
        raise ProtoCompileError(_diagnostics(complaints))
    return output.read_bytes()


def _diagnostics(complaints: str) -> tuple[Diagnostic, ...]:
    lines = [line for line in complaints.splitlines() if line and not _NOISE.match(line)]
    return tuple(map(_diagnostic, lines)) or (Diagnostic("the compiler failed and gave no reason"),)


def _diagnostic(line: str) -> Diagnostic:
    match = _DIAGNOSTIC.fullmatch(line)
    if match is None:
        return Diagnostic(line)
    place = match["line"]
    return Diagnostic(match["sentence"], match["file"], int(place) if place else None)
