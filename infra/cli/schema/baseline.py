"""What the commands about schemas share: what they compare with (`--against`), and how they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any

import click

from infra.cli.values import Existing
from infra.errors import RequestError, explain
from infra.operations.contracts import DEFAULT, REGISTRY
from schemas.gate import tree

if TYPE_CHECKING:
    from infra.deployment import Deployment


class Against(click.ParamType):
    """`registry`, or `git:` and a revision."""

    name = "git:REF|registry"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
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


class CannotJudgeError(click.ClickException):
    """There is nothing to compare or nobody to ask, which is no finding: the command ends with 2."""

    exit_code = 2

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"tailrace: {self.format_message()}", file=file, err=True)


@contextmanager
def findings_only() -> Iterator[None]:
    """Let a command end with 1 for findings alone: what fails for another reason ends with 2."""
    try:
        yield
    except (click.ClickException, click.exceptions.Exit, RequestError):
        raise
    except Exception as error:
        sentence = explain(error)
        if sentence is None:
            raise
        raise CannotJudgeError(sentence) from error


def where() -> Deployment:
    from infra.deployment.current import load_deployment

    return load_deployment()
