"""Compiles `.proto` files with the compiler of grpcio-tools, to descriptors that can be compared."""

import importlib
import importlib.util
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.gate.proto_model import File, read_file

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
    files = descriptor_pb2.FileDescriptorSet.FromString(descriptors).file
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
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=False
    )
    if done.returncode:
        raise ProtoCompileError(_diagnostics(done.stderr.replace(f"{root}/", "")))
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
