"""Settings of the local stack: `tailrace.toml` at the root of the clone, overridden by `TAILRACE_*`."""

import hashlib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)
from pydantic_settings import SettingsError as UnreadError

from cdc.manifest import Service
from cdc.service import JSON_FORM, unread
from infra.deployment import (
    MAX_OUTBOX_DAYS,
    Capture,
    Database,
    Deployment,
    Profile,
)
from infra.deployment import Publisher as Publisher
from infra.deployment.databases import (
    PairsError,
    contexts_told,
    read_shards,
    require_apart,
    sharded,
)
from infra.errors import TailraceError
from infra.paths import plain_directory
from infra.repository import REPOSITORY as REPOSITORY
from infra.service_settings import OWN, as_text
from infra.services import SERVICES, find_service
from infra.shapes import (
    BROKERS,
    CLUSTER_PORTS,
    CONNECT,
    JVM_METRICS_PORTS,
    POSTGRES,
    SECOND,
    TWICE,
    Shape,
    second_port_setting,
)
from infra.shapes import HOST as HOST
from infra.stack_deployment import databases_of, deployment_of
from producers.rest.access.settings import AccessSettings
from producers.rest.limits import AnswerLimits, RequestLimits

SETTINGS_FILE = REPOSITORY / "tailrace.toml"
STANDBY_SIGNAL = "standby.signal"  # a file in the data of Postgres by which it starts as a standby


class SettingsError(TailraceError):
    """A setting is missing, unknown or out of range."""

    exit_code = 2


def default_home(stack: "Stack" = "processes") -> Path:
    """The directory of this clone's data, one for each kind of stack.

    Postgres refuses to run as root and the account that takes its place can rarely enter the
    directory of the clone, hence a place of its own when root.
    """
    kind = "" if stack == "processes" else f"-{stack}"
    if os.geteuid() != 0:
        return REPOSITORY / f".tailrace{kind}"
    digest = hashlib.sha256(os.fsencode(REPOSITORY)).hexdigest()[:8]
    return Path("/var/lib/tailrace") / f"{REPOSITORY.name}-{digest}{kind}"


def default_cache() -> Path:
    """The directory of downloads, shared by all clones of one user."""
    if os.geteuid() != 0:
        import platformdirs  # images do without

        return platformdirs.user_cache_path("tailrace")
    return Path("/var/cache/tailrace")


def _databases(text: str) -> str:
    contexts_told(text)
    return text


def _shards(text: str) -> str:
    read_shards(text)
    return text


def _traces(text: str) -> str:
    if not re.fullmatch(r"off|zipkin|https?://[^\s/@?#]+(/\S*)?", text):
        raise ValueError(
            "must be off, zipkin, or the URL of a collector without credentials, such as http://collector:4318"
        )
    return text


NOT_IN_CONTAINERS = {
    "databases": ("", "the compose file has one database"),
    "shards": ("", "the compose file has one connector"),
    "traces": ("off", "a stack in containers records none"),
    "jvm_metrics": ("off", "JVMs in containers are given no agent"),
}
"""Setting -> what it has to be in containers, and why."""

Workers = Literal["shared", "apart"]
Stack = Literal["processes", "containers"]
ConsoleMode = Literal["act", "look", "off"]
Port = Annotated[int, Field(ge=1, le=65535)]
Directory = Annotated[Path, AfterValidator(plain_directory)]
Databases = Annotated[str, AfterValidator(_databases)]
"""Contexts with a database of their own in the server of the stack, such as `payments=ledger`."""

Shards = Annotated[str, AfterValidator(_shards)]
"""Captures with several shards, such as `main=2`."""


class Settings(AccessSettings, RequestLimits, AnswerLimits, BaseSettings):
    """The settings of the stack. Build it with `load_settings`, which adds ports and settings that services declare."""

    model_config = SettingsConfigDict(
        env_prefix="TAILRACE_",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        toml_file=SETTINGS_FILE,
        validate_default=True,
    )

    port_names: ClassVar[Sequence[str]] = ()
    """Settings that say where the stack listens."""

    stack: Stack
    home: Directory = Field(
        default_factory=lambda known: default_home(known.get("stack", "processes"))
    )
    cache: Directory = Field(default_factory=default_cache)
    postgres_port: Port
    postgres_2_port: Port
    kafka_port: Port
    kafka_controller_port: Port
    kafka_2_port: Port
    kafka_2_controller_port: Port
    kafka_3_port: Port
    kafka_3_controller_port: Port
    connect_port: Port
    connect_2_port: Port
    kafka_metrics_port: Port
    kafka_2_metrics_port: Port
    kafka_3_metrics_port: Port
    connect_metrics_port: Port
    connect_2_metrics_port: Port
    registry_port: Port
    profile: Literal["auto", Shape]
    console_port: Port
    metrics_port: Port
    zipkin_port: Port
    publisher: Publisher
    databases: Databases
    shards: Shards
    workers: Workers
    cdc_profile: Profile
    aot: Literal["auto", "existing", "off"]
    min_free_disk_mb: Annotated[int, Field(ge=0, le=2**40)]
    outbox_days: Annotated[int, Field(ge=1, le=MAX_OUTBOX_DAYS)]
    console: ConsoleMode
    metrics: Literal["on", "off"]
    jvm_metrics: Literal["on", "off"]
    traces: Annotated[str, AfterValidator(_traces)]
    traces_sample_rate: Annotated[float, Field(ge=0, le=1)]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments win over the environment, which wins over the file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="after")
    def _containers_can_do_it(self) -> Self:
        for name, (usual, why) in NOT_IN_CONTAINERS.items() if self.in_containers else ():
            value = getattr(self, name).strip()
            if value != usual:
                raise ValueError(
                    f"stack is 'containers' and {name} is {value!r}, and {why}: set it to {usual or repr('')}, or "
                    "stack to processes"
                )
        return self

    @model_validator(mode="after")
    def _databases_are_possible(self) -> Self:
        if not self.databases.strip():
            return self
        try:
            require_apart(databases_of(self))
        except PairsError as error:
            raise ValueError(f"databases {error}") from None
        return self

    @model_validator(mode="after")
    def _shards_are_possible(self) -> Self:
        if not self.shards.strip():
            return self
        if self.publisher == "relay":
            raise ValueError(
                "publisher is 'relay' and shards names some, and a relay has shards of its own, which any number of "
                "relays hold: leave it empty"
            )
        try:
            sharded(databases_of(self), self.shards)
        except PairsError as error:
            raise ValueError(f"shards {error}") from None
        return self

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        seen: dict[int, str] = {}
        for name, port in self.ports().items():
            if port in seen:
                raise ValueError(f"{seen[port]} and {name} are both {port}: give each its own port")
            seen[port] = name
        return self

    def ports(self) -> dict[str, int]:
        """Name of the field -> port number, of every port the stack listens on."""
        unused = frozenset() if self.shape == "cluster" else CLUSTER_PORTS
        if self.jvm_metrics == "off":
            unused |= JVM_METRICS_PORTS
        return {name: getattr(self, name) for name in self.port_names if name not in unused}

    def environment(self) -> dict[str, str]:
        """The `TAILRACE_*` variables that reproduce these settings in another process."""
        return {_variable(name): as_text(value) for name, value in self if value is not None}

    @property
    def shape(self) -> Shape:
        """What the stack is: what its data are of, whatever the profile asks for; without data, what that says."""
        return self.shape_of_data or ("cluster" if self.profile == "cluster" else "single")

    @property
    def shape_of_data(self) -> Shape | None:
        """What the data in the home are of; None as long as there are none."""
        for shape, brokers in BROKERS.items():
            # any of them: the disk of one may have been lost
            if any((self.home / each / "data" / "meta.properties").is_file() for each in brokers):
                return shape
        return None

    @property
    def in_containers(self) -> bool:
        """Whether the stack runs in containers, which publish the ports that processes would listen on."""
        return self.stack == "containers"

    @property
    def replicas(self) -> int:
        """How many brokers keep each record."""
        return len(self.kafka_ports)

    @property
    def kafka_ports(self) -> tuple[tuple[int, int], ...]:
        """The ports of each broker: for clients, and for the quorum."""
        first = (self.kafka_port, self.kafka_controller_port)
        if self.shape == "single":
            return (first,)
        return (
            first,
            (self.kafka_2_port, self.kafka_2_controller_port),
            (self.kafka_3_port, self.kafka_3_controller_port),
        )

    @property
    def postgres_ports(self) -> Mapping[str, int]:
        """Server of Postgres -> its port."""
        ports = (self.postgres_port, self.postgres_2_port)
        return dict(zip(POSTGRES[self.shape], ports, strict=False))

    @property
    def primary(self) -> str:
        """The server of Postgres that takes writes, as the data tell: a standby's hold `standby.signal`.

        After a promotion that was interrupted no data are those of a primary; it is the one that is to become it.
        """
        servers = POSTGRES[self.shape]
        begun = [name for name in servers if self.has_data(name)]
        primaries = [name for name in begun if not self.is_standby(name)]
        return (*primaries, *begun, *servers)[0]

    @property
    def standby(self) -> str | None:
        """The other server of a cluster, which may have no data yet."""
        return next((name for name in POSTGRES[self.shape] if name != self.primary), None)

    def is_standby(self, server: str) -> bool:
        """Whether a server of Postgres takes no writes when it is started."""
        return (self.home / server / "data" / STANDBY_SIGNAL).is_file()

    def has_data(self, server: str) -> bool:
        """Whether a server of Postgres can be started."""
        return (self.home / server / "data" / "PG_VERSION").is_file()

    @property
    def kafka_bootstrap(self) -> str:
        return ",".join(f"{HOST}:{port}" for port, _ in self.kafka_ports)

    @property
    def registry_url(self) -> str:
        """Base URL of the registry's Confluent-compatible API."""
        return f"http://{HOST}:{self.registry_port}/apis/ccompat/v7"

    @property
    def connect_ports(self) -> tuple[int, ...]:
        """The port of each worker of Kafka Connect."""
        return (
            (self.connect_port,)
            if self.shape == "single"
            else (self.connect_port, self.connect_2_port)
        )

    @property
    def connect_url(self) -> str:
        return ",".join(f"http://{HOST}:{port}" for port in self.connect_ports)

    @property
    def jvm_metrics_ports(self) -> Mapping[str, int]:
        """Broker or worker of Connect -> the port where its JVM tells metrics; none where they are to tell none."""
        if self.jvm_metrics == "off":
            return {}
        brokers = (self.kafka_metrics_port, self.kafka_2_metrics_port, self.kafka_3_metrics_port)
        told = dict(zip(BROKERS[self.shape], brokers, strict=False))
        if self.publisher == "cdc":
            workers = (self.connect_metrics_port, self.connect_2_metrics_port)
            told |= zip(CONNECT[self.shape], workers, strict=False)
        return told

    @property
    def has_zipkin(self) -> bool:
        """Whether the stack runs a Zipkin, for traces."""
        return self.traces == "zipkin"

    @property
    def zipkin_url(self) -> str:
        return f"http://{HOST}:{self.zipkin_port}"

    @property
    def console_url(self) -> str:
        return f"http://{HOST}:{self.console_port}"

    @property
    def metrics_url(self) -> str:
        return f"http://{HOST}:{self.metrics_port}"

    def port_of(self, service: str) -> int:
        port: int = getattr(self, find_service(service).port_setting)
        return port

    def metrics_port_of(self, service: Service) -> int | None:
        """Return where a service tells metrics, if not where it listens."""
        return getattr(self, service.metrics_port_setting) if service.metrics_port_setting else None

    def url_of(self, service: str) -> str:
        return f"http://{HOST}:{self.port_of(service)}"

    @property
    def secrets(self) -> Path:
        """The directory of the generated passwords (0700)."""
        return self.home / "secrets"

    def secret_file(self, name: str) -> Path:
        """Return the file of a generated secret."""
        return self.secrets / f"{name}.password"

    @property
    def connect_secrets(self) -> Path:
        """The directory of the passwords that connectors may refer to (0700)."""
        return self.home / "connect" / "secrets"

    @property
    def schema_cache(self) -> Path:
        return self.deployment().schema_cache

    @property
    def database(self) -> Database:
        """The database of the stack; each role's password stands in a file of its own."""
        first, *others = self.postgres_ports.values()
        return Database(
            host=HOST,
            port=first,
            others=tuple((HOST, port) for port in others),
            name="tailrace",
            passwords=self.secrets,
        )

    def database_url(self, role: str, database: str | None = None) -> str:
        return self.database.url(role, database)

    def server_url(self, server: str, role: str, database: str | None = None) -> str:
        """Return the libpq URL of one of several servers of Postgres, whether it takes writes or not."""
        one = replace(self.database, port=self.postgres_ports[server], others=())
        return one.url(role, database)

    @property
    def source(self) -> str | None:
        return str(SETTINGS_FILE) if self.in_containers else None

    @property
    def captures(self) -> tuple[Capture, ...]:
        """The databases of the stack, all in one server, each with what captures it."""
        return sharded(databases_of(self), self.shards)

    def deployment(self) -> Deployment:
        """Return the stack as any other installation: addresses, and files with credentials."""
        return deployment_of(self)


def with_services(own: Collection[type[BaseModel]], **ports: int) -> type[Settings]:
    """Return the settings of a stack, with those of its services.

    Args:
        own: What may be set of them.
        ports: Where they listen unless a setting says otherwise, by the names of these settings.

    Raises:
        ValueError: a setting is declared that the stack, or another service, has already.
    """
    # what extends another model has its settings
    models = [each for each in own if not any(issubclass(o, each) for o in own if o is not each)]
    bases: tuple[type[BaseModel], ...] = (Settings, *models)
    names = [*ports, *(name for model in bases for name in model.model_fields)]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"these settings are declared twice: {', '.join(twice)}")
    fields: dict[str, Any] = {name: (Port, port) for name, port in ports.items()}
    made = cast(type[Settings], create_model("SettingsWithServices", __base__=bases, **fields))
    made.port_names = (*(name for name in Settings.model_fields if name.endswith("_port")), *ports)
    return made


SettingsWithServices = with_services(
    dict.fromkeys(OWN.values()),
    **{setting: port for each in SERVICES for setting, port in each.ports.items()},
    **{second_port_setting(each): each.port + SECOND for each in TWICE},
)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; `overrides` win over environment and file."""
    try:
        return SettingsWithServices(**overrides)
    except ValidationError as error:
        raise SettingsError(_sentence(error.errors()[0])) from None
    except UnreadError as error:
        name = _variable(unread(error))
        raise SettingsError(
            f"{name} is {os.environ.get(name)!r} but must be JSON, such as {JSON_FORM}."
        ) from None
    except ValueError as error:
        # tomllib's complaint about the syntax; it holds the line and column
        raise SettingsError(f"{SETTINGS_FILE.name} cannot be read: {error}.") from None


_EXPECTED = re.compile(r"(?:[A-Z][\w ]*? )?((?:should|must) .*)")
"""What a setting should be, as pydantic or we say it, behind what it calls the setting."""


def _sentence(error: ErrorDetails) -> str:
    name = str(error["loc"][0]) if error["loc"] else ""  # and not which part of a list
    file = Path(str(SettingsWithServices.model_config["toml_file"]))
    match error["type"]:
        case "missing" if not file.is_file():
            return (
                f"There is no {SETTINGS_FILE.name} in {file.parent}, which says how the local stack runs: put it back "
                "from the repository, or name another installation by `--deployment`."
            )
        case "missing":
            return f"{SETTINGS_FILE.name} has no line for {name}: add it or set {_variable(name)}."
        case "extra_forbidden":
            return f"{SETTINGS_FILE.name} sets {name}, which is not a setting: remove the line."
    reason = error["msg"].removeprefix("Value error, ")
    if not name:
        return f"The settings contradict each other: {reason}."
    from_environment = _variable(name) in os.environ
    where = _variable(name) if from_environment else f"{name} in {SETTINGS_FILE.name}"
    if isinstance(error.get("ctx", {}).get("error"), PairsError) and not reason.startswith("must "):
        return f"{where} {reason}."
    expected = _EXPECTED.match(reason)
    told = f" but {expected[1]}" if expected else f": {reason}"
    given, is_it = error["input"], "is"
    if isinstance(given, Path):  # which neither the file nor the environment says
        given, where, is_it, told = str(given), _variable(name), "is by default", f"{told}: set it"
    return f"{where} {is_it} {given!r}{told}."


def _variable(name: str) -> str:
    return f"TAILRACE_{name.upper()}"
