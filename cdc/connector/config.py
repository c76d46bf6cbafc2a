"""The connector's configuration: `outbox.json` with the places filled in, plus the settings of a latency profile.

`profiles.json` trades latency for idle work. Debezium looks for changes every `poll.interval.ms`; its own default of
500 ms is felt by every message.
"""

import json
import string
from dataclasses import asdict, dataclass
from importlib import resources

from cdc.envelope import HEADERS
from schemas.catalogue import catalogue

NAME = "tailrace-outbox"
"""Name of the connector, where there is one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectorSettings:
    """Where the connector captures from."""

    host: str
    port: int
    database: str
    user: str
    # its password as a reference that Connect's config providers resolve, such as `${directory:/path:file}`;
    # never the password itself, which the REST API would show
    password: str
    publication: str  # publication that lists the outbox tables; migrations make it
    slot: str = "tailrace_outbox"
    name: str = NAME
    prefix: str = "tailrace"  # what its metrics and heartbeats are told from those of others by
    profile: str = "default"  # a name from `profiles.json`

    def __post_init__(self) -> None:
        if self.profile not in profiles():
            raise ValueError(
                f"no connector profile {self.profile!r}; there are {', '.join(profiles())}"
            )
        if not (self.password.startswith("${") and self.password.endswith("}")):
            raise ValueError(
                "the connector's password must be a config provider reference, not the password"
            )


def render(settings: ConnectorSettings) -> dict[str, str]:
    """Return the configuration to give to Connect, as it stores it: every value a string."""
    places = {name: str(value) for name, value in asdict(settings).items()}
    places["batch_bytes"] = str(catalogue().batch_bytes)
    places["headers"] = ",".join(f"{each.column}:header:{each.name}" for each in HEADERS)
    config = json.loads(_read("outbox.json")) | profiles()[settings.profile]
    return {"name": settings.name} | {
        key: string.Template(value).substitute(places) if "$" in value else value
        for key, value in config.items()
    }


def profiles() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json.loads(_read("profiles.json"))
    return found


def _read(file: str) -> str:
    return resources.files(__package__).joinpath(file).read_text()
