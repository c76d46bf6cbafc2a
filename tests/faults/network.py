"""Packets that are lost on the way to a part, by iptables; for root."""

import os
import shutil
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress

import psutil

PROGRAM = shutil.which("iptables", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
NAME = "tailrace-chaos"
"""Tells our rules from those of others."""
TIMEOUT_S = 10


def why_not() -> str | None:
    """Return why no packets can be lost on this machine; None when they can."""
    if os.geteuid():
        return "it takes root"
    if PROGRAM is None:
        return "there is no iptables"
    try:
        _rules()
    except subprocess.CalledProcessError as error:
        return f"iptables says {error.stderr.strip()}"
    return None


def clear() -> None:
    """Remove what a run has left that was killed."""
    for rule in _rules():
        _iptables("-D", *rule)


def ports_of(processes: Collection[psutil.Process]) -> list[int]:
    """Return the ports on which processes listen; those that have ended listen on none."""
    found: set[int] = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            found.update(
                each.laddr.port
                for each in process.net_connections("tcp")
                if each.status == psutil.CONN_LISTEN
            )
    return sorted(found)


@contextmanager
def losing(share: float, ports: Collection[int]) -> Iterator[None]:
    """Lose packets to ports of this machine while the block runs, connections to them included.

    Args:
        share: Of the packets, up to 1 for all.
        ports: Which, 15 at most.
    """
    some = ("-m", "statistic", "--mode", "random", "--probability", str(share))
    rule = (
        *("INPUT", "-i", "lo", "-p", "tcp", "-m", "multiport", "--dports"),
        ",".join(map(str, ports)),
        *(some if share < 1 else ()),
        *("-m", "comment", "--comment", NAME, "-j", "DROP"),
    )
    _iptables("-I", *rule)
    try:
        yield
    finally:
        _iptables("-D", *rule)


def _rules() -> list[list[str]]:
    return [
        line.split()[1:] for line in _iptables("-S", "INPUT").splitlines() if NAME in line.split()
    ]


def _iptables(*arguments: str) -> str:
    assert PROGRAM, "there is no iptables"
    done = subprocess.run(
        [PROGRAM, "-w", *arguments],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    return done.stdout
