"""A moment in time as an option, understood in one way by all commands."""

from datetime import UTC, datetime
from typing import Any

import click

from consumers.replay.bounds import parse_moment


class Moment(click.ParamType):
    """A time in ISO 8601, local where it names no offset; or how long ago, such as 90m."""

    name = "TIME"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return the time, or refuse it."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_moment(str(value), datetime.now(UTC))
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)


def require_order(since: datetime | None, until: datetime | None) -> None:
    """Refuse a range that ends before it begins.

    Raises:
        click.UsageError: it does.
    """
    if since and until and since >= until:
        raise click.UsageError(
            f"The range ends at {until.astimezone()}, before it begins at {since.astimezone()}."
        )
