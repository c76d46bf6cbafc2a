"""How-to pages as a reader walks them: what they say to write is written, and what they say to run is run."""

import re
from collections.abc import Callable
from pathlib import Path

STEP = re.compile(r"^([^\n]*)\n\n```([a-z]+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""The last line before a block, what the block is in, and the block."""
NAMED = re.compile(r"`([\w./-]+/[\w.-]+)`:$")


def walk(page: Path, directory: Path, run: Callable[[str], None]) -> None:
    """Do what a page says.

    A block of the shell is run. Any other one belongs into the file that is named at the end of the line before it: a
    `diff` changes it, all else makes it or is put at its end.

    Args:
        page: The page.
        directory: Where the files are that it names.
        run: Runs a command.
    """
    for said, kind, text in STEP.findall(page.read_text()):
        if kind == "sh":
            for command in text.splitlines():
                run(command)
            continue
        named = NAMED.search(said)
        assert named, f"{page.name} does not say where to put this: {said!r}"
        _put(directory / named[1], kind, text)


def _put(file: Path, kind: str, text: str) -> None:
    if kind == "diff":
        before, after = _side(text, "-"), _side(text, "+")
        found = file.read_text()
        assert found.count(before) == 1, f"{file} does not have this once:\n{before}"
        file.write_text(found.replace(before, after))
    elif file.exists():
        space = "\n\n\n" if kind == "python" else "\n\n"
        file.write_text(file.read_text().rstrip("\n") + space + text)
    else:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def _side(diff: str, sign: str) -> str:
    """Return one side of a difference: the lines that both have, and those with this sign."""
    lines = diff.splitlines(keepends=True)
    return "".join(line[1:] for line in lines if line[0] in (" ", sign))
