"""Where a console listens, by which names it is asked, and who may ask: anybody on this machine, or who signs in."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.errors import RequestError

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """Where a console listens.

    Args:
        names: By which it is asked from elsewhere: `console.example.com`, with a port where that is not the usual one.
        users: File of those who may sign in; None where nobody is asked who they are.
        certificate: Certificate chain and key, as PEM; None without TLS of its own.
        is_behind_proxy: Something in front of it speaks TLS.
    """

    host: str = HOST
    port: int
    names: tuple[str, ...] = ()
    users: Path | None = None
    certificate: tuple[Path, Path] | None = None
    is_behind_proxy: bool = False

    def __post_init__(self) -> None:
        if self.certificate and self.is_behind_proxy:
            raise RequestError(
                "Either the console speaks TLS itself or what is in front of it does: leave out one of the two."
            )
        if self.is_loopback and not self.names and not self.is_behind_proxy:
            return
        if self.users is None:
            raise RequestError(
                "Others can reach it, so the console has to know who they are: name those who may sign in with "
                "--users; `tailrace console add-user` makes the file."
            )
        if not self.is_secure:
            raise RequestError(
                "Passwords would cross the network in the clear: give --tls-certificate and --tls-key, or "
                "--behind-proxy where something in front of it speaks TLS."
            )
        if not self.names:
            raise RequestError(
                "Say by which name it is asked from elsewhere: --name console.example.com."
            )

    @property
    def is_loopback(self) -> bool:
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach it by TLS."""
        return self.certificate is not None or self.is_behind_proxy

    @property
    def origins(self) -> Mapping[str, str]:
        """Return the names that requests may be for, and the origin of the pages by each."""
        scheme = "https" if self.is_secure else "http"
        own = [f"{name}:{self.port}" for name in (HOST, "localhost", "[::1]")]
        return {name: f"{scheme}://{name}" for name in (*own, *map(str.lower, self.names))}
