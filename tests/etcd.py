"""A real etcd, from Debian's package, with its data in a directory of the test's."""

from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests import debian, plain_http
from tests.processes import ServerProcess
from tests.services import free_port


class Etcd(ServerProcess):
    """etcd on loopback; killed and started again it has what it had."""

    def __init__(self, directory: Path) -> None:
        program = debian.program("etcd", package="etcd-server")
        self.port, peers = free_port(), free_port()
        self.address = f"127.0.0.1:{self.port}"
        client, peer = f"http://{self.address}", f"http://127.0.0.1:{peers}"
        own = {name: value for name, value in program.env.items() if not name.startswith("ETCD_")}
        super().__init__(
            [
                str(program.path),
                *("--data-dir", str(directory / "data")),
                *("--listen-client-urls", client, "--advertise-client-urls", client),
                *("--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer),
                *("--initial-cluster", f"default={peer}"),
                "--unsafe-no-fsync",  # the machine does not fail here
            ],
            env=own,
            directory=directory,
            is_ready=lambda: '"true"' in plain_http.get(f"{client}/health").text,
        )

    def ask(self, what: str, body: Mapping[str, object]) -> Any:
        """Ask by its gateway, as anybody would."""
        url = f"http://{self.address}/v3/{what}"
        answer = plain_http.post(url, json=body)
        assert answer.is_success, answer.text
        return answer.json()


def b64(text: str) -> str:
    return b64encode(text.encode()).decode()
