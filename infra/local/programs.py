"""The programs of a stack: prepared from the parts, and remembered so that a running one is not disturbed."""

import json
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from infra.local import aot
from infra.local.parts import PARTS, Part, parts_of, parts_with, shared_workers
from infra.local.program import Program
from infra.settings import Publisher, Settings
from schemas.files import replace_file


def prepare_programs(settings: Settings) -> list[Program]:
    """Prepare all parts side by side; some write files or initialise their data the first time."""
    shares = settings.workers == "shared"
    parts = [part for part in parts_of(settings) if not (shares and part.may_share)]
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        prepared = list(pool.map(lambda part: part.prepare(settings), parts))
    return [*prepared, *([shared_workers(settings)] if shares else []), aot.program(settings)]


def keep_running(home: Path, wanted: list[Program], running: Collection[str]) -> list[Program]:
    """Replace each wanted program by the one under which it runs already, if that still fits.

    Two definitions fit when their fingerprints agree; what may differ is, for instance, the start-up
    cache of Java, which a running process does not need any more.
    """
    previous = {program.name: program for program in remembered(home)}
    return [
        previous[program.name]
        if program.name in running
        and program.name in previous
        and previous[program.name].fingerprint == program.fingerprint
        else program
        for program in wanted
    ]


def remember(home: Path, programs: list[Program]) -> None:
    replace_file(
        _path(home), json.dumps([asdict(program) for program in programs], default=str, indent=1)
    )


def remembered(home: Path) -> list[Program]:
    """Return the programs supervisord was given last; none if that cannot be told."""
    try:
        return [
            Program(**entry | {"argv": tuple(entry["argv"]), "directory": Path(entry["directory"])})
            for entry in json.loads(_path(home).read_text())
        ]
    except (
        FileNotFoundError,
        ValueError,
        TypeError,
        KeyError,
    ):  # or another version has written it
        return []


def publisher(settings: Settings) -> Publisher:
    """Return the publisher that the stack was last brought up with; that of the settings when it never was."""
    names = {program.name for program in remembered(settings.home)}
    if "relay" in names:
        return "relay"
    return "cdc" if names else settings.publisher


def parts_brought_up(settings: Settings) -> tuple[Part, ...]:
    """Return the parts that the stack was last brought up with; those of the settings when it never was."""
    if not (names := {program.name for program in remembered(settings.home)}):
        return parts_of(settings)
    return parts_with(publisher(settings), settings.shape, optional=names)


def program_of(part: str, settings: Settings) -> str:
    """Return the name of the program that ran a part when the stack was last brought up."""
    names = {program.name for program in remembered(settings.home)}
    return next((each.program_in(names) for each in PARTS if each.name == part), part)


def _path(home: Path) -> Path:
    return home / "supervisor" / "programs.json"
