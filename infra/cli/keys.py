"""The commands `tailrace keys`: API keys, given out, listed and taken back."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict

import click
from rich.console import RenderableType
from rich.text import Text

from infra.cli.common import Group, examples
from infra.cli.output import json_option, tell
from infra.cli.values import API_KEY_ID, CLIENT, SCOPE, whole
from infra.deployment.current import load_deployment
from infra.operations import keys as operations
from infra.tables import table
from infra.text import local
from producers.rest.access.administration import KeptKey

YEAR_DAYS = 365
COLOURS = {"active": "green", "expired": "yellow", "revoked": "red"}


@click.group(cls=Group)
def keys() -> None:
    """Give out API keys, list them, and take them back."""


@keys.command()
@click.argument("owner", type=CLIENT)
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=SCOPE,
    help="What it allows, such as orders:read; once for each.",
)
@click.option(
    "--days",
    type=whole(1, 100 * YEAR_DAYS),
    help=f"How long it is good; {YEAR_DAYS} unless you say otherwise.",
)
@click.option("--forever", is_flag=True, help="It never expires.")
@json_option
@examples(
    "tailrace keys new shop --scope orders:read --scope orders:write",
    "tailrace keys new warehouse --scope reports:read --days 30 --json",
)
def new(*, owner: str, scopes: Sequence[str], days: int | None, forever: bool) -> None:
    """Make an API key for the client OWNER, and show it this once.

    Only its digest is kept: whoever loses it is given another. All keys of one owner count as the same client, so that
    two of them make a rotation: give out the second, wait until it is used, revoke the first.
    """
    if forever and days is not None:
        raise click.UsageError("say either how many --days it is good, or --forever.")
    days = None if forever else days or YEAR_DAYS
    made = operations.new(load_deployment(), owner, scopes, days=days)
    kept, until = made.kept, local(made.kept.expires_at, "it is revoked")
    lines = [
        made.key,
        "",
        f"It is shown this once. {kept.owner} may {', '.join(kept.scopes)}, until {until}.",
        "Clients send it as `Authorization: Bearer <key>`.",
        f"`tailrace keys revoke {kept.key_id}` takes it back.",
    ]
    tell({"key": made.key} | asdict(kept), lines)


@keys.command("list")
@click.option(
    "--all", "everything", is_flag=True, help="Those as well that are revoked or expired."
)
@json_option
def list_keys(*, everything: bool) -> None:
    """List API keys: whose each is, what it allows, and in which hour it was last used."""
    found = operations.find(load_deployment())
    shown = [key for key in found if everything or key.state == "active"]
    headings = ("key", "owner", "state", "scopes", "made", "expires", "last used")
    tell(shown, [table(headings, _rows(shown), wrap=headings[3:])])


@keys.command()
@click.argument("key_id", type=API_KEY_ID)
@json_option
@examples("tailrace keys revoke 4fW0qLZkT2bD")
def revoke(*, key_id: str) -> None:
    """Take back the API key KEY_ID, for good.

    Services look every second, and refuse it from then on. One that cannot reach the database refuses all keys after
    a while, 10 seconds where nothing else is set.
    """
    revoked = operations.revoke(load_deployment(), key_id)
    told = f"The API key {key_id} of {revoked.owner} is revoked since {local(revoked.revoked_at)}."
    tell(revoked, [told])


def _rows(keys: Sequence[KeptKey]) -> Iterator[tuple[RenderableType, ...]]:
    for key in keys:
        yield (
            key.key_id,
            key.owner,
            Text(key.state, COLOURS[key.state]),
            ", ".join(key.scopes),
            local(key.made_at),
            local(key.expires_at, "never"),
            local(key.last_used_at, "never"),
        )
