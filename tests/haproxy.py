"""A real HAProxy, from Debian's package, with the configuration that users are given, before instances of a test."""

import re
from collections.abc import Sequence
from pathlib import Path

from infra.settings import REPOSITORY
from tests import debian
from tests.processes import ServerProcess, answers
from tests.services import free_port

CONFIGURATION = REPOSITORY / "infra" / "haproxy" / "haproxy.cfg"


class HAProxy(ServerProcess):
    """HAProxy on loopback, which listens at an address of its own.

    Args:
        ports: Of the instances.
    """

    def __init__(self, directory: Path, ports: Sequence[int]) -> None:
        program = debian.program("haproxy", package="haproxy")
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        given = CONFIGURATION.read_text()
        text, binds = re.subn(r"(?<=bind )127\.0\.0\.1:\d+", f"127.0.0.1:{port}", given)
        text, servers = re.subn(r"(?m)^    server .*\n", "", text)
        assert (binds, servers > 1) == (1, True)
        own = directory / "haproxy.cfg"
        own.write_text(text + "".join(f"    server s{port} 127.0.0.1:{port}\n" for port in ports))
        super().__init__(
            [str(program.path), "-db", "-f", str(own)],
            env=program.env,
            directory=directory,
            is_ready=answers(f"{self.url}/health"),
        )
