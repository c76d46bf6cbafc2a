"""The gate for gRPC: compares two states of the `.proto` files and names every change that breaks somebody."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.gate.finding import Finding
from schemas.gate.proto_compiler import Diagnostic, compile_each, is_unreadable
from schemas.gate.proto_enums import check_enum
from schemas.gate.proto_messages import check_message
from schemas.gate.proto_model import Enum, File, Message, Service, Type
from schemas.gate.proto_place import Place, check_options
from schemas.gate.proto_services import check_service

ROOT = "schemas/proto"
"""Where the protos are, relative to the root of the repository."""

LEFT_OUT = "baseline-does-not-compile"
"""Rule of what is no fault of the change, but leaves a file without a measure."""

Files = Mapping[str, File]

__all__ = ["LEFT_OUT", "ROOT", "check", "is_unreadable", "read"]


def read(directory: Path) -> dict[str, str]:
    """Return the text of every `.proto` file below a directory, by its path in there, with forward slashes."""
    return {
        path.relative_to(directory).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(directory.rglob("*.proto"))
    }


def check(baseline: Mapping[str, str], tree: Mapping[str, str]) -> list[Finding]:
    """Return every change between two states of the protos that breaks a client or a server.

    Args:
        baseline: Text of every `.proto` file as it was, by path below the root of the protos.
        tree: The same as it is now.

    Raises:
        ProtoCompilerMissingError: grpcio-tools is not installed.
    """
    new, complaints = compile_each(tree)
    findings = [_does_not_compile(each) for each in complaints]
    findings += [_foreign_syntax(file) for file in new.values() if file.syntax != "proto3"]
    if baseline == tree:
        return findings
    old, complaints = compile_each(baseline)
    findings += [_baseline_does_not_compile(each) for each in complaints]
    uncompiled = tree.keys() - new.keys()
    for file in old.values():
        if file.path not in uncompiled and file.syntax == "proto3":
            findings += _check_file(file, new)
    return findings


def _check_file(old: File, files: Files) -> Iterator[Finding]:
    new = files.get(old.path)
    if new is not None and new.package != old.package:
        yield _package_changed(old, new)
        return
    if new is None:
        yield _file_removed(old, files)
    if new is not None:
        yield from _check_rest(old, new)
    removed: set[str] = set()
    for name, was in old.types.items():
        home = new if new and name in new.types else _home(files, old.package, name)
        if home is not None:
            yield from _check_type(old, was, home)
            continue
        # What was inside a removed message went with it.
        if new is not None and not any(name.startswith(f"{outer}.") for outer in removed):
            yield _type_removed(old, was)
        removed.add(name)


def _check_rest(old: File, new: File) -> Iterator[Finding]:
    """Yield what changed of a file beside its types: its options and extensions."""
    place = Place(_package(old), _in_repository(new.path), old.path, 1)
    yield from check_options(place, "", old.options, new.options, 1)
    for name, was in old.extensions.items():
        is_now = new.extensions.get(name)
        if is_now is None:
            problem = "the extension was removed or renamed; what uses it no longer compiles"
            yield place.finding(name, "extension-removed", problem, f"Bring {name} back")
        elif is_now != was:
            problem = f"the extension went from {was} to {is_now}; neither reads the other"
            yield place.finding(name, "extension-changed", problem, f"Keep {was}")


def _check_type(old: File, was: Type, home: File) -> Iterator[Finding]:
    found = home.types[was.name]
    place = Place(_package(old), _in_repository(home.path), was.name, found.line)
    if home.path != old.path:
        problem = (
            f"moved from {old.path} to {home.path}; generated modules are named after the file"
        )
        yield place.finding("", "type-moved", problem, f"Keep it in {old.path}")
    match was, found:
        case Message(), Message():
            yield from check_message(place, was, found)
        case Enum(), Enum():
            yield from check_enum(place, was, found)
        case Service(), Service():
            yield from check_service(place, was, found)
        case _:
            problem = (
                f"the {_kind(was)} became the {_kind(found)} {was.name}; neither reads the other"
            )
            fix = f"Keep the {_kind(was)}, and give the {_kind(found)} a name of its own"
            yield place.finding("", "type-kind-changed", problem, fix)


def _home(files: Files, package: str, name: str) -> File | None:
    """Return the file that holds a type of a package now, wherever that is."""
    homes = (file for file in files.values() if file.package == package and name in file.types)
    return next(homes, None)


def _type_removed(old: File, was: Type) -> Finding:
    kind = _kind(was)
    problem = f"the {kind} was removed or renamed; code that was generated with it no longer fits"
    fix = f"Bring {was.name} back; mark it deprecated, or publish a new version of the package"
    place = Place(_package(old), _in_repository(old.path), was.name, None)
    return place.finding("", f"{kind}-removed", problem, fix)


def _file_removed(old: File, files: Files) -> Finding:
    names = [name for name in old.types if _home(files, old.package, name) is None]
    lost = f", and {', '.join(names)} with it" if names else ""
    return Finding(
        subject=_package(old),
        path=f"/{old.path}",
        rule="file-removed",
        problem=f"the file was removed{lost}; programs that import what is generated from it break",
        fix="Bring the file back under its old name",
        file=_in_repository(old.path),
    )


def _package_changed(old: File, new: File) -> Finding:
    problem = (
        f"the package went from {_package(old)} to {_package(new)}; every full name changes, and "
        "with it the paths that clients call"
    )
    return Finding(
        subject=_package(old),
        path=f"/{old.path}",
        rule="package-changed",
        problem=problem,
        fix="Keep the package, and put a new version into a directory of its own",
        file=_in_repository(new.path),
        line=new.package_line,
    )


def _foreign_syntax(file: File) -> Finding:
    return Finding(
        subject=_package(file),
        path=f"/{file.path}",
        rule="syntax-not-proto3",
        problem=f"is written in {file.syntax}, and the gate knows the rules of proto3 only",
        fix='Write syntax = "proto3"',
        file=_in_repository(file.path),
        line=1,
    )


def _does_not_compile(diagnostic: Diagnostic) -> Finding:
    return Finding(
        subject="protos",
        path=f"/{diagnostic.file or ''}",
        rule="proto-does-not-compile",
        problem=f"does not compile: {diagnostic.sentence.removesuffix('.')}",
        fix="Mend the file; nothing can be compared before",
        file=_in_repository(diagnostic.file) if diagnostic.file else None,
        line=diagnostic.line,
    )


def _baseline_does_not_compile(diagnostic: Diagnostic) -> Finding:
    line = f" (line {diagnostic.line})" if diagnostic.line else ""
    return Finding(
        subject="protos",
        path=f"/{diagnostic.file or ''}",
        rule=LEFT_OUT,
        problem=f"{diagnostic.file or 'what'} was left out, for in the baseline it does not compile: "
        f"{diagnostic.sentence.removesuffix('.')}{line}",
        fix="Compare with a state that compiles",
    )


def _package(file: File) -> str:
    return file.package or file.path


def _in_repository(path: str) -> str:
    return f"{ROOT}/{path}"


def _kind(found: Type) -> str:
    return type(found).__name__.lower()
