"""How commands tell of what they have brought back to what is declared, and of what they could not."""

import click

from infra.cli.output import as_data, emit
from infra.drift.difference import Difference
from infra.operations.declared import Mended


def tell_mended(mended: Mended, *, as_json: bool) -> int:
    """Print what was done, and on standard error what is left and what mends it; return what the command ends with."""
    done, left = mended.done, mended.left
    if as_json:
        emit({"done": done, "left": [data(each) for each in left]})
    else:
        for line in done:
            click.echo(line)
        if not done and not left:
            click.echo("Everything is as declared.")
        for each in left:
            click.echo(f"{each}: {each.remedy}.", err=True)
    return 1 if left else 0


def data(difference: Difference) -> dict[str, object]:
    return {key: value for key, value in as_data(difference).items() if key != "statements"}
