"""Where an installation is: addresses of its servers and services, and the files that hold credentials for them."""

import stat
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

from cdc.shards import Keys
from infra.errors import TailraceError
from infra.services import (
    ACCESS,
    CANARY,
    OUTBOXES,
    PUBLICATION,
    READER,
    RELAY,
    SUPERUSER,
    find_service,
)
from schemas.registry_settings import RegistrySettings

Publisher = Literal["cdc", "relay"]
Profile = Literal["default", "thrifty", "low-latency"]
MAX_OUTBOX_DAYS = 36_500
MAIN = "main"
"""Name of the capture of the database in which a context is when nothing else is said."""
CONTEXTS = tuple(schema for schema in OUTBOXES if schema != CANARY)
"""What may have a database of its own: a schema, with the role of its name and the services that work in it."""
OTHERS = stat.S_IRWXG | stat.S_IRWXO


class DeploymentError(TailraceError):
    """What is said of a deployment is missing, cannot be used, or names a file that cannot be read."""

    exit_code = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """A database, and who may log in."""

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

    def url(self, role: str, database: str | None = None, *, schema: str | None = None) -> str:
        """Return the libpq URL of a role; the password stands in the file that it names, not in the URL.

        Args:
            schema: Where its sessions find tables, if not in the schema of the role's own name.
        """
        servers = ((self.host, self.port), *self.others)
        places = ",".join(
            f"{f'[{host}]' if ':' in host else host}:{port}" for host, port in servers
        )
        options = {"passfile": str(self.passfile(role)), **self.tls}
        if schema:
            options["options"] = f"-c search_path={schema}"
        if self.others:
            # and not `read-write`, by which libpq refuses whoever wants to read only
            options["target_session_attrs"] = "primary"
        query = urlencode(options, quote_via=quote, safe="/")
        return f"postgresql://{role}@{places}/{database or self.name}?{query}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connect:
    """Kafka Connect."""

    url: str  # base URL of its REST API, or of that of each worker with commas between them
    # reference to the password of the capture's role, which Connect resolves; never the password
    password: str
    profile: Profile = "default"  # how eagerly changes are asked for


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """A database, and what carries its outboxes to Kafka: one shard or several, or the relay."""

    name: str = MAIN
    database: Database
    contexts: tuple[str, ...] = CONTEXTS  # which have their schemas in the database
    # the database as Connect sees it; None where that is as we do
    connect_host: str | None = None
    connect_port: int | None = None
    connect_password: str | None = None  # a reference as in `Connect`, where it is another one
    source: str | None = None  # what said all this, see `Deployment`
    shard_count: int = 1  # by how many connectors its outboxes are carried
    # whether it is only looked at: whoever is asked for, it is the role that sees what they see and can change nothing
    only_looks: bool = False

    @property
    def is_main(self) -> bool:
        return self.name == MAIN

    @property
    def outboxes(self) -> tuple[str, ...]:
        """Schemas with an outbox: each database has canaries of its own, as each has a way to Kafka of its own."""
        return (*self.contexts, CANARY)

    @property
    def schemas(self) -> tuple[str, ...]:
        """All schemas; API keys are in one database, for all services."""
        return (RELAY, *((ACCESS,) if self.is_main else ()), *self.outboxes)

    @property
    def shards(self) -> tuple["Shard", ...]:
        return tuple(
            Shard(capture=self, keys=Keys(number, self.shard_count))
            for number in range(self.shard_count)
        )

    def label(self, thing: str) -> str:
        """Return what a thing is called that others have as well, such as the outbox of canaries."""
        return thing if self.is_main else f"{thing}@{self.name}"

    @property
    def outbox_labels(self) -> tuple[str, ...]:
        return tuple(map(self.outbox_label, self.outboxes))

    def outbox_label(self, schema: str) -> str:
        """Return what an outbox is called where there are several databases."""
        return self.label(schema) if schema == CANARY else schema

    def url(self, role: str, database: str | None = None) -> str:
        """Return the libpq URL of a role whose password we have."""
        schema = role if self.only_looks and role in self.schemas else None
        whom = READER if self.only_looks else role
        if self.source:
            _require_passfile(self.database.passfile(whom), whom, self.source)
        return self.database.url(whom, database, schema=schema)

    def outbox_urls(self) -> dict[str, str]:
        """Return outbox -> libpq URL of the role that may read it."""
        return {self.outbox_label(schema): self.url(schema) for schema in self.outboxes}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Some of the keys of a capture, and what carries them: a publication, a slot and a connector.

    The first one is called what it is called where there are no others.
    """

    capture: Capture
    keys: Keys

    @property
    def name(self) -> str:
        return f"{self.capture.name}{self._tail}"

    @property
    def publication(self) -> str:
        return f"{PUBLICATION}{self._tail}"

    @property
    def slot(self) -> str:
        return f"tailrace_outbox{self._suffix}"

    @property
    def connector(self) -> str:
        return f"tailrace-outbox{self._suffix.replace('_', '-')}"

    @property
    def prefix(self) -> str:
        """What metrics and heartbeats of its connector are told from those of others by."""
        return f"tailrace{self._suffix}"

    def label(self, thing: str) -> str:
        """Return what a thing is called that each shard has."""
        return thing if self.name == MAIN else f"{thing}@{self.name}"

    @property
    def _tail(self) -> str:
        return f"_{self.keys.number + 1}" if self.keys.number else ""

    @property
    def _suffix(self) -> str:
        return self._tail if self.capture.is_main else f"_{self.capture.name}{self._tail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a service is called, and where it listens; None where nobody has said by which URL it is called."""

    url: str | None
    host: str
    port: int
    metrics_port: int | None  # where it tells metrics, if not where it listens


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
    # each database with what captures it, the main one first
    captures: tuple[Capture, ...]
    # Kafka Connect; None where it is not told, as where only ever the relay publishes
    connect: Connect | None
    services: Mapping[str, Address]  # name of a service -> its address
    # what a JVM is called -> where it tells Prometheus's metrics: `host:port`, or several with commas between them
    jvms: Mapping[str, str] = field(default_factory=dict)
    outbox_days: int  # how long an outbox keeps messages that are no events
    # name of a service -> settings of its own that it is told, such as `DEFAULT_STOCK`
    told: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    # settings that every service is told, such as `TRACES_URL`
    told_all: Mapping[str, str] = field(default_factory=dict)
    # URL of the page that shows a trace, with `{trace_id}` in it; None where there is none
    trace_page: str | None = None
    # directory of the commands' own: replays that can be resumed, and what was found out before
    state: Path

    def to_look(self) -> "Deployment":
        """Return the same for who only looks: databases are asked as the one role that can change nothing."""
        captures = tuple(replace(each, only_looks=True) for each in self.captures)
        return replace(self, captures=captures)

    @property
    def schema_cache(self) -> Path:
        return self.state / "schema-cache"

    @property
    def main(self) -> Capture:
        """The capture of all contexts that have no database of their own."""
        return self.captures[0]

    @property
    def database(self) -> Database:
        """The database of the main capture."""
        return self.main.database

    @property
    def connect_url(self) -> str:
        return self.require_connect().url

    def require_connect(self) -> Connect:
        if self.connect is None:
            raise DeploymentError(
                f"connect_url is missing from {self.source}, and Kafka Connect is asked for this: add the base URL "
                "of its REST API, and connector_password."
            )
        return self.connect

    @property
    def shards(self) -> tuple[Shard, ...]:
        """The shards of all captures."""
        return tuple(shard for each in self.captures for shard in each.shards)

    def capture_of(self, context: str) -> Capture:
        """Return the capture whose database a context is in; what is no context is in the main one."""
        found = (each for each in self.captures if context in each.contexts)
        return next(found, self.main)

    def find_shard(self, name: str) -> Shard:
        """Return a shard; the first one of a capture has its name."""
        for each in self.shards:
            if each.name == name:
                return each
        raise DeploymentError(
            f"There is no capture {name}; there are {', '.join(each.name for each in self.shards)}."
        )

    def database_url(self, role: str) -> str:
        """Return the libpq URL of a role whose password we have, in the database of the context of its name."""
        return self.capture_of(role).url(role)

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
        known = find_service(service)
        declared = Address(
            url=None, host="127.0.0.1", port=known.port, metrics_port=known.metrics_port
        )
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
