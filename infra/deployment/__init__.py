"""Where an installation is: addresses of its servers and services, and the files that hold credentials for them."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

from infra.errors import TailraceError
from infra.services import SUPERUSER, find_service
from schemas.registry_settings import RegistrySettings

Publisher = Literal["cdc", "relay"]
Profile = Literal["default", "thrifty", "low-latency"]
MAX_OUTBOX_DAYS = 36_500
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class DeploymentError(TailraceError):
    """What is said of a deployment is missing, cannot be used, or names a file that cannot be read."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """The database, and who may log in."""

    host: str
    port: int
    # where it may be as well, with a standby: one of them takes writes, and libpq finds out which
    others: tuple[tuple[str, int], ...] = ()
    name: str
    # a directory with `<role>.pgpass` for each role, or one such file for all of them
    passwords: Path
    # the role that may look at everything, and bring it back to what is declared
    superuser: str = SUPERUSER
    # `sslmode` and `sslrootcert`, as libpq takes them
    tls: Mapping[str, str] = field(default_factory=dict)

    def passfile(self, role: str) -> Path:
        one_for_all = self.passwords.is_file()
        return self.passwords if one_for_all else self.passwords / f"{role}.pgpass"

    def url(self, role: str, database: str | None = None) -> str:
        """Return the libpq URL of a role; the password stands in the file that it names, not in the URL."""
        servers = ((self.host, self.port), *self.others)
        places = ",".join(
            f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in servers
        )
        options = {"passfile": str(self.passfile(role)), **self.tls}
        if self.others:
            options["target_session_attrs"] = "read-write"
        query = urlencode(options, quote_via=quote, safe="/")
        return f"postgresql://{role}@{places}/{database or self.name}?{query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """Kafka Connect, and the database as Connect sees it."""

    url: str  # base URL of its REST API, or of that of each worker with commas between them
    database_host: str
    database_port: int
    # reference to the password of the capture's role, which Connect resolves; never the password
    password: str
    profile: Profile = "default"  # how eagerly changes are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a service is called, and where it listens; None where nobody has said by which URL it is called."""

    url: str | None
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """An installation, as it looks from where a command runs."""

    # the file that it was read from, or `the environment`; None of the local stack
    source: str | None = None
    # what is to be in the environment of another process for it to find the same installation
    variables: Mapping[str, str]
    kafka_bootstrap: str  # `host:port` of a broker, or of several with commas between them
    # how many brokers are to keep each record, at least; those that are made are given as many
    kafka_replication: int = 1
    registry: RegistrySettings  # the schema registry, as whoever may read it
    registry_writer: RegistrySettings  # the same as whoever may write to it
    # the API by which the registry takes lost ids back; None where it has none that we know
    registry_import: RegistrySettings | None = None
    database: Database
    # Kafka Connect; None where it is not told, as where only ever the relay publishes
    capture: Capture | None
    services: Mapping[str, Address]  # name of a service -> its address
    outbox_days: int  # how long an outbox keeps messages that are no events
    # name of a service -> settings of its own that it is told, such as `DEFAULT_STOCK`
    told: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # settings that every service is told, such as `TRACES_URL`
    told_all: Mapping[str, str] = field(default_factory=dict)
    # URL of the page that shows a trace, with `{trace_id}` in it; None where there is none
    trace_page: str | None = None
    # directory of the commands' own: replays that can be resumed, and what was found out before
    state: Path

    @property
    def schema_cache(self) -> Path:
        return self.state / "schema-cache"

    @property
    def connect_url(self) -> str:
        return self.require_capture().url

    def require_capture(self) -> Capture:
        if self.capture is None:
            raise DeploymentError(
                f"connect_url is missing from {self.source}, and Kafka Connect is asked for this: add the base URL "
                "of its REST API, and connector_password."
            )
        return self.capture

    def database_url(self, role: str, database: str | None = None) -> str:
        """Return the libpq URL of a role whose password we have."""
        if self.source:
            _require_passfile(self.database.passfile(role), role, self.source)
        return self.database.url(role, database)

    def url_of(self, service: str) -> str:
        address = self.services.get(service)
        if address is None or address.url is None:
            raise DeploymentError(
                f"services.{service}.url is missing from {self.source}, and the service is called for this: add the "
                "base URL by which it is reached from here."
            )
        return address.url

    def address_of(self, service: str) -> Address:
        """Return where a service is, by its name; by default it listens on the port that it declares."""
        declared = Address(url=None, host="127.0.0.1", port=find_service(service).port)
        return self.services.get(service, declared)


def _require_passfile(path: Path, role: str, source: str) -> None:
    """Refuse a file that libpq would pass over in silence, to say afterwards that no password was supplied."""
    told = f"password_files in {source} leads to {path} for the role {role}"
    try:
        mode = path.stat().st_mode
        with path.open("rb"):
            pass
    except OSError as error:
        raise DeploymentError(
            f"{told}, which cannot be read ({error.strerror}): put a line *:*:*:{role}:<password> there, or name "
            "another directory or file."
        ) from None
    if mode & OTHERS:
        raise DeploymentError(
            f"{told}, which is open to other accounts ({stat.S_IMODE(mode):o}), so that libpq does not read it: "
            f"run `chmod 600 {path}`."
        )
