"""A moment in time as an option, understood in one way by all commands."""

from datetime import UTC, datetime

from consumers.replay.bounds import parse_moment
from infra.cli.parked_options import Parsed


def _moment(text: str) -> datetime:
    return parse_moment(text, datetime.now(UTC))


MOMENT = Parsed("TIME", _moment)
"""A time in ISO 8601, local where it names no offset; or how long ago, such as 90m."""
