"""The keys of an issuer: read from a file or a real server, changed under way, withdrawn, and not to be had."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, OctKey, OKPKey
from joserfc.util import int_to_base64

from producers.rest.access import jwks
from producers.rest.access.issuer import require_trusted
from producers.rest.access.jwks import IssuerKeys, KeySetError, usable_keys
from producers.rest.access.principal import UncheckedError
from tests.tokens import EC, RSA, key_set


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Issuer:
    """What a server of an issuer answers, and how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.status = 200
        self.body = key_set(RSA).encode()
        self.location = ""
        self.url = ""


@contextmanager
def serving() -> Iterator[Issuer]:
    issuer = Issuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            self.send_response(issuer.status)
            if issuer.location:
                self.send_header("location", issuer.location)
            self.end_headers()
            self.wfile.write(issuer.body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        issuer.url = f"http://127.0.0.1:{server.server_address[1]}/keys.json"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield issuer
        finally:
            server.shutdown()
            thread.join()


def test_a_key_that_is_new_is_found_and_one_that_is_not_there_is_asked_for_seldom() -> None:
    clock = Clock()
    with serving() as issuer:
        keys = IssuerKeys(issuer.url, clock)

        async def scenario() -> None:
            async with keys.kept_up():
                assert await keys.find("rsa", "RS256")
                assert issuer.asked == 1
                issuer.body = key_set(RSA, EC).encode()
                for _ in range(50):
                    assert await keys.find("ec", "ES256") is None
                assert issuer.asked == 1
                clock.now += jwks.AGAIN_S
                found = await asyncio.gather(*[keys.find("ec", "ES256") for _ in range(50)])
                assert all(found)
                assert issuer.asked == 2

        asyncio.run(scenario())


def test_names_that_are_made_up_ask_the_issuer_no_more_often() -> None:
    clock = Clock()
    with serving() as issuer:
        keys = IssuerKeys(issuer.url, clock)

        async def scenario() -> None:
            async with keys.kept_up():
                await keys.find("rsa", "RS256")
                for number in range(100):
                    clock.now += jwks.AGAIN_S / 50
                    assert await keys.find(f"made up {number}", "RS256") is None
                    assert await keys.find("rsa", "RS256")
                assert issuer.asked == 3

        asyncio.run(scenario())


@pytest.mark.parametrize(
    ("status", "body", "location"),
    [
        (500, key_set(RSA).encode(), ""),
        (302, b"", "http://127.0.0.1:9/elsewhere"),
        (200, b"not json", ""),
        (200, b"[]", ""),
        (200, b'{"keys": {}}', ""),
        (200, b'{"keys": []}', ""),
        (200, b'{"keys": [' + b"[" * 50_000, ""),
        (200, b" " * jwks.MAX_BYTES + key_set(RSA).encode(), ""),
        (200, json.dumps({"keys": [RSA.as_dict()] * 101}).encode(), ""),
    ],
    ids=["500", "302", "text", "list", "object", "empty", "nested", "long", "many"],
)
def test_the_last_good_set_stays_when_there_is_no_other(
    status: int, body: bytes, location: str
) -> None:
    clock = Clock()
    with serving() as issuer:
        keys = IssuerKeys(issuer.url, clock)

        async def scenario() -> None:
            async with keys.kept_up():
                assert await keys.find("rsa", "RS256")
                issuer.status, issuer.body, issuer.location = status, body, location
                clock.now += jwks.AGAIN_S
                assert await keys.find("other", "RS256") is None
                assert issuer.asked == 2
                assert await keys.find("rsa", "RS256")
                clock.now += jwks.MAX_AGE_S
                with pytest.raises(UncheckedError):
                    await keys.find("rsa", "RS256")

        asyncio.run(scenario())


def test_without_any_set_nobody_can_be_judged(tmp_path: Path) -> None:
    async def scenario(place: str) -> None:
        keys = IssuerKeys(place)
        async with keys.kept_up():
            with pytest.raises(UncheckedError):
                await keys.find("rsa", "RS256")

    asyncio.run(scenario("http://127.0.0.1:9/keys.json"))
    asyncio.run(scenario(str(tmp_path / "missing.json")))


def test_a_key_that_is_withdrawn_is_not_found_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jwks, "FILE_EVERY_S", 0.01)
    path = tmp_path / "keys.json"
    path.write_text(key_set(RSA, EC))
    keys = IssuerKeys(str(path))

    async def scenario() -> None:
        async with keys.kept_up(), asyncio.timeout(30):
            assert await keys.find("rsa", "RS256")
            before = keys.version
            path.write_text(key_set(EC))
            while await keys.find("rsa", "RS256"):  # noqa: ASYNC110
                await asyncio.sleep(0)
            assert keys.version == before + 1
            assert await keys.find("ec", "ES256")

    asyncio.run(scenario())


def published(*entries: object) -> list[str | None]:
    return [key.kid for key in usable_keys(json.dumps({"keys": entries}).encode())]


def test_of_a_set_only_public_keys_for_signatures_are_used() -> None:
    private_key = rsa.generate_private_key(65537, key_size=1024)  # noqa: S505
    short = private_key.public_key().public_numbers()
    weak = {"kty": "RSA", "kid": "weak", "n": int_to_base64(short.n), "e": int_to_base64(short.e)}
    private = ECKey.generate_key("P-256", {"kid": "private"}).as_dict(private=True)
    secret = OctKey.generate_key(256, {"kid": "secret"}).as_dict(private=True)
    exchange = OKPKey.generate_key("X25519", {"kid": "exchange"}).as_dict()
    good = EC.as_dict()
    assert published(good, private, secret, weak, {**RSA.as_dict(), "use": "enc"}) == ["ec"]
    assert published(None, 7, "x", [], {}, {"kty": "RSA"}, {"kty": "ML-DSA"}, good) == ["ec"]
    assert published({**good, "x": "AAAA"}, {**good, "x": 7}, {**good, "kid": ["ec"]}) == []
    assert published(exchange) == ["exchange"]  # which goes with no algorithm of signatures


@pytest.mark.parametrize(
    "place",
    [
        "/etc/keys.json",
        "keys.json",
        "https://issuer.example.org/keys",
        "http://127.0.0.1:8/k",
        "http://localhost/k",
        "http://[::1]/k",
    ],
)
def test_places_that_can_be_trusted(place: str) -> None:
    assert require_trusted(place) == place


@pytest.mark.parametrize(
    "place",
    [
        "http://issuer.example.org/keys",
        "http://10.0.0.1/k",
        "http://127.0.0.1.example.org/k",
        "https://user:pw@issuer/k",
        "https://",
        "http://localhost@evil/k",
    ],
)
def test_places_that_anybody_could_answer_for(place: str) -> None:
    with pytest.raises(ValueError, match="key set"):
        require_trusted(place)


@pytest.mark.parametrize("text", [b"", b"{}", b"null", b'{"keys": 7}', b"\xff"])
def test_what_is_no_set_is_told(text: bytes) -> None:
    with pytest.raises(KeySetError):
        list(usable_keys(text))
