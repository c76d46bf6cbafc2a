"""A real DNS server for tests: Knot DNS of Debian, authoritative for `example.`, whose zone a test writes."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import dns.message
import dns.query
from dns.exception import DNSException

from infra.local.probe import wait_until
from tests.debian import program
from tests.services import free_port

CONFIGURATION = """
server:
    rundir: "{home}"
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
database:
    storage: "{home}"
log:
  - target: "{home}/knot.log"
    any: warning
template:
  - id: default
    storage: "{home}"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
zone:
  - domain: example
  - domain: broken.example
"""
"""The second zone has no file, so that it answers SERVFAIL."""


@dataclass
class Knot:
    """A server that runs, or was killed.

    Args:
        home: Its directory.
        port: Where it listens, at 127.0.0.1.
    """

    home: Path
    port: int
    _serial: int = 0
    _records: str = ""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def url(self, address: str) -> str:
        """Return an address that is looked up here."""
        return f"{address}?nameserver=127.0.0.1:{self.port}"

    def write(self, *records: str, ttl: int = 1) -> None:
        """Have these records under `example.` and no others, and return when they are told."""
        self._serial += 1
        self._records = "\n".join(records)
        head = f"$ORIGIN example.\n$TTL {ttl}\n@ SOA ns hostmaster {self._serial} 60 60 60 {ttl}\n"
        names = "@ NS ns\nns A 127.0.0.1\n"
        (self.home / "example.zone").write_text(f"{head}{names}{self._records}\n")
        if self._process is not None:
            self._process.send_signal(signal.SIGHUP)
            self._await_serial()

    def start(self) -> None:
        knotd = program("knotd", package="knot")
        configuration = self.home / "knot.conf"
        configuration.write_text(CONFIGURATION.format(home=self.home, port=self.port))
        self._process = subprocess.Popen(
            [knotd.path, "-c", configuration], env=knotd.env, stdout=subprocess.DEVNULL
        )
        self._await_serial()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _await_serial(self) -> None:
        wait_until("Knot does not tell its zone", self._is_current, timeout_s=30)

    def _is_current(self) -> bool:
        question = dns.message.make_query("example.", "SOA")
        try:
            said = dns.query.udp(question, "127.0.0.1", port=self.port, timeout=0.5)
        except (DNSException, OSError):
            return False
        return any(record.serial == self._serial for answer in said.answer for record in answer)


@contextmanager
def running_knot(home: Path) -> Iterator[Knot]:
    """Run one whose zone is empty."""
    knot = Knot(home, free_port())
    knot.write()
    knot.start()
    try:
        yield knot
    finally:
        knot.kill()
