"""Calls of receivers on real sockets: bounded, to the address that was judged, and with nothing of ours in them."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from consumers.webhooks import calls
from consumers.webhooks.calls import Outcome, call, retry_after_s
from producers.webhooks.addresses import Admitted, Policy, RefusedUrlError, admit
from tests.certificates import self_signed
from tests.dns_server import DnsServer
from tests.hops import black_hole
from tests.receiver import Receiver, Request, answer, ok, serving
from tests.webhooks import call_once

LOCAL = Policy(loopback=True)


def called(
    reply: Callable[[Request], Awaitable[bytes]] = ok, *, timeout_s: float = 5
) -> tuple[Outcome, Receiver]:
    async def run() -> tuple[Outcome, Receiver]:
        async with Receiver(reply).open() as receiver:
            headers = {"webhook-id": "1"}
            return await call(
                receiver.url, headers, b"{}", LOCAL, within=asyncio.timeout(timeout_s)
            ), receiver

    return asyncio.run(run())


def always(text: bytes) -> Callable[[Request], Awaitable[bytes]]:
    async def reply(request: Request) -> bytes:
        return text

    return reply


def test_a_call_carries_what_it_is_given_and_nothing_of_ours(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("default login me password secret")
    (tmp_path / ".netrc").chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    outcome, receiver = called()
    assert (outcome.status, outcome.error) == (204, None)
    [request] = receiver.requests
    assert request.line == "POST /hooks HTTP/1.1"
    assert request.body == b"{}"
    assert request.headers == {
        "host": f"127.0.0.1:{receiver.port}",
        "accept-encoding": "identity",
        "webhook-id": "1",
        "content-length": "2",
    }


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    async def elsewhere(request: Request) -> bytes:
        return answer(302, location="http://127.0.0.1:1/", set_cookie="a=b")

    outcome, receiver = called(elsewhere)
    assert (outcome.status, receiver.connections) == (302, 1)


def test_of_an_answer_the_beginning_is_kept_and_does_no_harm() -> None:
    hostile = (
        "\x1b[2J\r\nset-cookie: \x00\u202egnp.exe \N{SNOWMAN}".encode() + b"\xff" + b"x" * 5000
    )
    outcome, _ = called(always(answer(500, hostile)))
    assert outcome.answer.startswith(
        "\ufffd[2J\ufffd\ufffdset-cookie: \ufffd\ufffdgnp.exe \u2603\ufffdxx"
    )
    assert len(outcome.answer.encode()) <= 3 * calls.KEPT_BYTES
    assert outcome.answer.isprintable()


@pytest.mark.parametrize(
    "wire",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200\r\n",
        b"HTTP/1.1 99999 Nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"x" * 1_000_000,
    ],
)
def test_what_has_no_whole_head_is_no_answer(wire: bytes) -> None:
    outcome, _ = called(always(wire))
    assert outcome.status is None
    assert outcome.error
    assert outcome.error.isprintable()


@pytest.mark.parametrize("status", [200, 410, 429])
@pytest.mark.parametrize(
    "rest",
    [
        b"content-length: 10\r\n\r\nhalf",
        b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\nzz\r\n",
        b"transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n5",
    ],
)
def test_what_has_answered_has_answered_whatever_becomes_of_the_body(
    status: int, rest: bytes
) -> None:
    wire = b"HTTP/1.1 %d Told\r\nretry-after: 90\r\n" % status + rest
    outcome, _ = called(always(wire))
    assert (outcome.status, outcome.error, outcome.retry_after_s) == (status, None, 90)
    assert outcome.answer in ("", "half")


@pytest.mark.parametrize("within_s", [0.3, 30])
def test_a_body_that_drips_is_not_waited_for(
    within_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(calls, "READING_S", min(0.5, 2 * within_s))
    outcome = asyncio.run(
        answered_by(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nslow", within_s=within_s)
    )
    assert (outcome.status, outcome.error) == (200, None)
    assert outcome.duration_s < 5


def test_a_receiver_has_so_long_and_no_longer() -> None:
    outcome = asyncio.run(answered_by(b"HTTP/1.1 200 OK\r\n", within_s=0.3))
    assert outcome.error == "no answer within 0.3 seconds"
    assert 0.3 <= outcome.duration_s < 5


async def answered_by(beginning: bytes, *, within_s: float) -> Outcome:
    """Call a receiver that begins an answer and does not end it."""

    async def begins(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(beginning)
        await reader.read()

    async with serving(begins) as port:
        url = f"http://127.0.0.1:{port}"
        return await call(url, {}, b"", LOCAL, within=asyncio.timeout(within_s))


def test_an_endless_answer_is_read_no_further_than_it_is_kept() -> None:
    async def run() -> None:
        async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()

        async with serving(pour) as port:
            outcome = await call(
                f"http://127.0.0.1:{port}/", {}, b"", LOCAL, within=asyncio.timeout(10)
            )
        assert (outcome.status, outcome.answer) == (200, "x" * calls.KEPT_BYTES)

    asyncio.run(run())


def test_nobody_there_is_a_failure() -> None:
    outcome = asyncio.run(call_once("http://127.0.0.1:1/", {}, b"", LOCAL))
    assert outcome.error
    assert outcome.error.startswith("ConnectError")


def test_whatever_a_receiver_leads_to_is_its_failure() -> None:
    async def breaks(name: str) -> Sequence[str]:
        raise RuntimeError("a\x1bb")

    outcome = asyncio.run(call_once("https://a.example/", {}, b"", Policy(resolve=breaks)))
    assert outcome.error == "RuntimeError: a\ufffdb"


def test_a_name_rebound_since_it_was_registered_is_not_called() -> None:
    def rebound(name: str, number: int) -> Sequence[str]:
        return ["93.184.215.14"] if number == 0 else ["127.0.0.1"]

    async def run() -> None:
        async with Receiver().open() as receiver, DnsServer(rebound).open() as resolve:
            policy = Policy(resolve=resolve, ports=frozenset({receiver.port}))
            url = f"https://rebind.example:{receiver.port}/"
            await admit(url, policy)
            outcome = await call(url, {}, b"", policy, within=asyncio.timeout(5))
            assert outcome.error == "not called: it leads to an address that is not public"
            assert receiver.connections == 0

    asyncio.run(run())


def test_the_address_that_was_judged_is_called_and_the_name_is_not_looked_up_again() -> None:
    async def run() -> None:
        async with Receiver().open() as receiver:
            here = (ip_address("127.0.0.1"),)
            called = Admitted("http", "nowhere.invalid", receiver.port, "/", here, is_local=True)
            told = dict[str, object]()
            await calls._exchange(called, {}, b"", told)
            assert told["status"] == 204
            assert receiver.requests[0].headers["host"] == f"nowhere.invalid:{receiver.port}"

    asyncio.run(run())


def test_an_address_that_is_dead_keeps_no_time_from_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(calls, "ATTEMPT_S", 0.1)

    async def run() -> None:
        async with Receiver().open() as receiver:
            with black_hole("127.0.0.2", receiver.port):
                both = ip_address("127.0.0.2"), ip_address("127.0.0.1")
                called = Admitted("http", "a.invalid", receiver.port, "/", both, is_local=True)
                told = dict[str, object]()
                async with asyncio.timeout(20):
                    await calls._exchange(called, {}, b"", told)
                assert told["status"] == 204

    asyncio.run(run())


def test_a_connection_that_leads_elsewhere_is_closed_before_anything_is_said() -> None:
    async def run() -> None:
        async with Receiver().open() as receiver:
            # the kernel takes this for a name of the machine itself, so that the peer is another address
            asked = (ip_address("0.0.0.0"),)  # noqa: S104
            called = Admitted("http", "example.com", receiver.port, "/", asked, is_local=True)
            with pytest.raises(RefusedUrlError, match="another address"):
                await calls._exchange(called, {}, b"secret", {})
            assert receiver.requests == []

    asyncio.run(run())


def test_by_https_the_certificate_has_to_be_that_of_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = tmp_path / "certificate.pem"
    certificate.write_bytes(self_signed("localhost"))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    calls._tls.cache_clear()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(certificate)
    asked = []
    server.sni_callback = lambda connection, name, context: asked.append(name)

    async def run() -> None:
        async with Receiver().open(tls=server) as receiver:
            right, wrong = (
                f"https://{host}:{receiver.port}/" for host in ("localhost", "127.0.0.1")
            )
            outcome = await call(right, {}, b"", LOCAL, within=asyncio.timeout(5))
            assert (outcome.status, asked) == (204, ["localhost"])
            outcome = await call(wrong, {}, b"", LOCAL, within=asyncio.timeout(5))
            assert "certificate" in (outcome.error or "").lower()
            assert len(receiver.requests) == 1

    try:
        asyncio.run(run())
    finally:
        calls._tls.cache_clear()


NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        (b"120", 120.0),
        (b" 7 ", 7.0),
        (b"0", 0.0),
        (b"9" * 400, calls.LONGEST_WAIT_S),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True).encode(), 90.0),
        (format_datetime(NOW - timedelta(days=90), usegmt=True).encode(), 0.0),
        (b"Fri, 31 Dec 9999 23:59:59 GMT", calls.LONGEST_WAIT_S),
        (b"-5", None),
        (b"1.5", None),
        (b"soon", None),
        (b"\xff", None),
        ("١٢".encode(), None),
        (b"", None),
    ],
)
def test_retry_after_is_seconds_or_a_time(value: bytes, wait_s: float | None) -> None:
    assert retry_after_s([(b"Date", b"x"), (b"Retry-After", value)], NOW) == wait_s
