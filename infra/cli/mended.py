"""How commands tell of what they have brought back to what is declared, and of what they could not."""

import click

from infra.cli.output import as_data, tell
from infra.drift.difference import Difference
from infra.operations.declared import Mended


def tell_mended(mended: Mended) -> int:
    """Print what was done, and on standard error what is left and what mends it; return what the command ends with."""
    done, left = mended.done, mended.left
    tell({"done": done, "left": [data(each) for each in left]}, lambda: _show(mended))
    return 1 if left else 0


def _show(mended: Mended) -> None:
    for line in mended.done:
        click.echo(line)
    if not mended.done and not mended.left:
        click.echo("Everything is as declared.")
    for each in mended.left:
        click.echo(f"{each}: {each.remedy}.", err=True)


def data(difference: Difference) -> dict[str, object]:
    return {key: value for key, value in as_data(difference).items() if key != "statements"}
