"""What the commands about schemas share: what they compare with (`--against`), and how they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from infra.cli.values import Existing
from infra.errors import explain
from schemas.gate import tree
from schemas.gate.baseline import Baseline, from_git, from_registry
from schemas.gate.catalogued import Promises

if TYPE_CHECKING:
    from schemas.registry_subjects import Subjects

DEFAULT = "git:main"
REGISTRY = "registry"


class Against(click.ParamType):
    """`registry`, or `git:` and a revision."""

    name = "git:REF|registry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the value, or refuse it."""
        kind, _, ref = str(value).partition(":")
        is_ref = kind == "git" and ref.isprintable() and bool(ref.strip()) and ref[0] != "-"
        if value != REGISTRY and not is_ref:
            self.fail(
                f"{value!r} is neither `registry` nor `git:` with a branch, tag or commit, such as `git:main`.",
                param,
                ctx,
            )
        return str(value)


against_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--against",
    type=Against(),
    metavar=Against.name,
    default=DEFAULT,
    show_default=True,
    help="What to compare with: a git revision, which needs nothing running, or the registry.",
)
directory_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--schemas",
    "directory",
    type=Existing(file_okay=False, resolve_path=True),
    default=tree.contracts_directory,
    help="Directory of the contracts in the working tree; by default that of this program.",
)


def open_baseline(against: str, directory: Path, files: tree.Files) -> Baseline:
    """Return what an option names."""
    if against != REGISTRY:
        return from_git(directory, against.removeprefix("git:"))
    with open_subjects() as subjects:

        def ask(name: str) -> dict[int, str]:
            return {each.version: each.text for each in subjects.versions(name)}

        return from_registry(directory, Promises.of(files).messages, ask)


class CannotJudgeError(click.ClickException):
    """There is nothing to compare or nobody to ask, which is no finding: the command ends with 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it as other failures are."""
        click.echo(f"tailrace: {self.format_message()}", file=file, err=True)


@contextmanager
def findings_only() -> Iterator[None]:
    """Let a command end with 1 for findings alone: what fails for another reason ends with 2."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit):
        raise
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        raise CannotJudgeError(sentence) from error


@contextmanager
def open_subjects() -> Iterator[Subjects]:
    """Return what asks the registry of the deployment, until the block ends."""
    from infra.deployment.current import load_deployment
    from schemas.registry_subjects import Subjects

    with Subjects.open(load_deployment().registry) as subjects:
        yield subjects
