"""A sandbox has no way out: parties have stand-ins, and whatever goes past them runs into a wall."""

import asyncio
import socket
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal

import pytest

from consumers.payments.processor import CapturedCardProcessor, Charge
from consumers.replay.outside import CapturedOutside, OutsideCallError, no_network, noted
from consumers.runtime.outside import RealOutside


@pytest.fixture
def listener() -> Iterator[tuple[str, int]]:
    """Somebody outside who can be called."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()


def test_a_connection_is_refused_in_a_replay_and_open_before_and_after(
    listener: tuple[str, int],
) -> None:
    socket.create_connection(listener).close()
    with (
        no_network("http://127.0.0.1:1/"),
        socket.socket() as caller,
        pytest.raises(OutsideCallError, match="connects to"),
    ):
        caller.connect(listener)
    socket.create_connection(listener).close()


def test_a_connection_by_asyncio_is_refused_too(listener: tuple[str, int]) -> None:
    async def call() -> None:
        await asyncio.open_connection(*listener)

    with no_network("http://127.0.0.1:1/"), pytest.raises(OutsideCallError):
        asyncio.run(call())


def test_a_datagram_and_a_program_are_refused(listener: tuple[str, int]) -> None:
    with no_network("http://127.0.0.1:1/"):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
            pytest.raises(OutsideCallError),
        ):
            sender.sendto(b"hello", listener)
        with pytest.raises(OutsideCallError, match="starts a program"):
            subprocess.run([sys.executable, "-c", ""], check=False)


def test_the_registry_may_be_spoken_to(listener: tuple[str, int]) -> None:
    host, port = listener
    with no_network(f"http://{host}:{port}/apis"):
        socket.create_connection(listener).close()


def test_the_real_party_is_not_even_made_in_a_replay() -> None:
    def real() -> str:
        raise AssertionError("made")

    assert CapturedOutside().party("mail", real, lambda _: "stand-in") == "stand-in"
    assert RealOutside().party("mail", lambda: "real", lambda _: "stand-in") == "real"


def test_what_is_noted_belongs_to_the_transaction_that_is_open() -> None:
    processor = CapturedOutside().party(
        "card processor",
        lambda: pytest.fail("the real one"),
        lambda note: CapturedCardProcessor(note, limit=Decimal(100)),
    )
    charge = Charge(idempotency_key="o1", customer_id="ada", amount=Decimal(500), currency="EUR")
    token = noted.set([])
    try:
        declined = asyncio.run(processor.charge(charge))
        [effect] = noted.get() or []
    finally:
        noted.reset(token)
    assert declined is not None
    assert (effect.party, effect.action, effect.key) == ("card processor", "charge", "o1")
    assert effect.details["answer"] == "limit_exceeded"
    with pytest.raises(OutsideCallError, match="outside of a handler's transaction"):
        asyncio.run(processor.charge(charge))
