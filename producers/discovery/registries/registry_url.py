"""Where a registry is, as one line: `etcd://127.0.0.1:2379,127.0.0.1:2381/orders?ttl_s=10`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import SplitResult, parse_qsl, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, FilePath, ValidationError

from producers.discovery.instances import Instance

O = TypeVar("O", bound="Options")  # noqa: E741  # of options


def _file(path: Path) -> Path:
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    return path


SecretFile = Annotated[Path, AfterValidator(_file)]
_HOST = re.compile(r"[a-z0-9](?:[a-z0-9_.-]*[a-z0-9.])?|[0-9a-f:.]+", re.ASCII)
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Options(BaseModel):
    """What may stand behind the question mark for every registry."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tls: bool = False
    # the authority that its certificate is signed by; the usual ones without it
    ca_file: FilePath | None = None
    # how long it may take to answer
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 2.0


@dataclass(frozen=True, slots=True)
class RegistryAddress:
    """A registry that may be asked at any of several servers."""

    scheme: str
    servers: tuple[str, ...]  # each `host:port`
    path: tuple[str, ...]  # segments
    query: Mapping[str, str]

    @classmethod
    def read(cls, parts: SplitResult, *, default_port: int) -> "RegistryAddress":
        """Return what a URL says.

        Raises:
            ValueError: it makes no sense; says what it must be, and repeats nothing of it.
        """
        if "@" in parts.netloc:
            raise ValueError("must not hold a user or a password: name a file of them behind a `?`")
        if parts.fragment:
            raise ValueError("must have no #fragment")
        servers = tuple(_server(each, default_port) for each in parts.netloc.split(","))
        path = tuple(each for each in parts.path.split("/") if each)
        try:
            said = parse_qsl(parts.query, strict_parsing=bool(parts.query))
        except ValueError:
            raise ValueError("must have name=value behind the `?`, with & between them") from None
        if len(dict(said)) < len(said):
            raise ValueError("must have each option only once")
        return cls(parts.scheme, servers, path, dict(said))

    def options(self, kind: type[O]) -> O:
        """Return what stands behind the question mark.

        Raises:
            ValueError: something there is unknown or makes no sense.
        """
        try:
            return kind.model_validate(self.query)
        except ValidationError as error:
            faults = error.errors(include_input=False, include_url=False)
            told = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in faults)
            known = ", ".join(kind.model_fields)
            raise ValueError(
                f"has options of no use ({told}); {self.scheme}:// knows {known}"
            ) from None

    @property
    def service(self) -> str:
        """The one service that its path names.

        Raises:
            ValueError: it names none, or something below one.
        """
        if len(self.path) != 1:
            raise ValueError(f"must name one service: {self.scheme}://host:port/<service>")
        return self.path[0]

    @property
    def name(self) -> str:
        """What people call it, in logs and figures."""
        return f"{self.scheme}://{','.join(self.servers)}"


def host_and_port(text: str) -> tuple[str, int | None]:
    """Return what `host:port`, `[IPv6]:port` or a host alone says.

    Raises:
        ValueError: it says something else.
    """
    parts = urlsplit(f"//{text}")
    try:
        host, port = parts.hostname, parts.port  # which are read only when they are asked for
    except ValueError:
        raise ValueError("must have a port between 1 and 65535") from None
    is_all = parts.netloc == text and "@" not in text
    if not host or port == 0 or not is_all or not _HOST.fullmatch(host):
        raise ValueError("must be host:port")
    return host, port


def _server(text: str, default_port: int) -> str:
    host, port = host_and_port(text)
    return str(Instance(host, port or default_port))
