"""Tokens: which are good here, and every other that somebody may try."""

import asyncio
import contextlib
import hashlib
import hmac
import json
import re
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import OctKey, OKPKey, RSAKey

from producers.rest.access.jwks import IssuerKeys
from producers.rest.access.principal import CredentialError, Principal, UncheckedError
from producers.rest.access.tokens import MAX_TOKEN_BYTES, TokenRules, Tokens
from tests import tokens as issued
from tests.tokens import AUDIENCE, EC, ISSUER, RSA, key_set, segment, unsigned

Judge = Callable[[str], Principal]
NOW = int(time.time())
"""When tokens are issued, and when they are judged, however long the tests take."""
token = partial(issued.token, iat=NOW, exp=NOW + 600)
claims = partial(issued.claims, iat=NOW, exp=NOW + 600)
STRANGER = RSAKey.generate_key(2048, {"kid": "rsa"})
ED = OKPKey.generate_key("Ed25519", {"kid": "ed"})
PUBLIC_PEM = RSA.as_pem(private=False)


def shown(value: object) -> str:
    """Return how a case is called, whenever it is collected."""
    return re.sub(r"\d{9,}", "N", str(value))[:60]


def rules(*algorithms: str) -> TokenRules:
    return TokenRules(
        issuer=ISSUER,
        audience=AUDIENCE,
        algorithms=frozenset(algorithms or ("RS256", "ES256")),
        leeway_s=30,
        scopes_claim="scope",
    )


def judging(path: Path, *algorithms: str) -> Judge:
    tokens = Tokens(rules(*algorithms), IssuerKeys(str(path)), lambda: float(NOW))
    return lambda text: asyncio.run(tokens.principal_of(text))


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Judge:
    path = tmp_path_factory.mktemp("issuer") / "keys.json"
    path.write_text(key_set(RSA, EC, ED))
    return judging(path)


def refusal(judge: Judge, text: str) -> str:
    with pytest.raises(CredentialError) as refused:
        judge(text)
    return str(refused.value)


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (EC, "ES256")])
def test_a_token_of_the_issuer_says_who_and_what(judge: Judge, key: Any, algorithm: str) -> None:
    found = judge(token(key, algorithm))
    assert found == Principal(f"jwt:{ISSUER} ada", frozenset({"orders:read", "orders:write"}))


@pytest.mark.parametrize(
    "others",
    [
        {"aud": ["other", AUDIENCE]},
        {"exp": NOW + 600.5},
        {"exp": NOW - 10},  # within the leeway
        {"nbf": NOW + 10, "iat": NOW + 10},
        {"jti": "1", "azp": "shop", "unheard_of": {"a": [1]}},
        {"scope": ["orders:read"]},
        {"scope": None},
    ],
    ids=shown,
)
def test_what_the_standard_allows_is_taken(judge: Judge, others: dict[str, Any]) -> None:
    assert judge(token(**others)).name.endswith("ada")


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "at+jwt"},
        {"typ": "application/at+jwt"},
        {"typ": "JWT", "x5t": "abc"},
        {"x-unknown": 1},
    ],
    ids=shown,
)
def test_headers_that_change_nothing_are_taken(judge: Judge, header: dict[str, Any]) -> None:
    assert judge(token(header=header)).name.endswith("ada")


@pytest.mark.parametrize(
    ("others", "words"),
    [
        ({"exp": NOW - 31}, "expired"),
        ({"exp": None}, "exp"),
        ({"exp": "tomorrow"}, "exp"),
        ({"exp": True}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"exp": float("inf")}, "exp"),
        ({"exp": -(10**400)}, "expired"),
        ({"nbf": NOW + 300}, "nbf"),
        ({"nbf": "now"}, "nbf"),
        ({"iat": NOW + 300}, "iat"),
        ({"iss": None}, "iss"),
        ({"iss": "https://issuer.example.org/"}, "iss"),
        ({"iss": ["https://issuer.example.org"]}, "iss"),
        ({"aud": None}, "aud"),
        ({"aud": "other"}, "aud"),
        ({"aud": ["other"]}, "aud"),
        ({"aud": []}, "aud"),
        ({"aud": "tailrace-admin"}, "aud"),
        ({"aud": {"tailrace": 1}}, "aud"),
        ({"sub": None}, "sub"),
        ({"sub": ""}, "sub"),
        ({"sub": 7}, "sub"),
        ({"sub": "s" * 256}, "sub"),
        ({"scope": {"orders:read": True}}, "scope"),
        ({"scope": ["orders:read", 7]}, "scope"),
        ({"scope": 7}, "scope"),
    ],
    ids=shown,
)
def test_claims_that_are_not_for_here_are_refused(
    judge: Judge, others: dict[str, Any], words: str
) -> None:
    assert words in refusal(judge, token(**others))


def signed_by_hand(header: dict[str, Any], secret: bytes) -> str:
    """Return a token that anybody can sign who knows the secret, with HMAC."""
    signed = f"{segment(header)}.{segment(claims())}"
    return f"{signed}.{segment(hmac.new(secret, signed.encode(), hashlib.sha256).digest())}"


FORGED = {
    "no algorithm": unsigned({"alg": "none"}, claims()),
    "no algorithm, spelt otherwise": unsigned({"alg": "nOnE", "kid": "rsa"}, claims()),
    "none, with the signature of another": unsigned({"alg": "none"}, claims(), b"signature"),
    "no algorithm named": unsigned({"kid": "rsa"}, claims()),
    "algorithm null": unsigned({"alg": None, "kid": "rsa"}, claims()),
    "algorithm a list": unsigned({"alg": ["RS256"], "kid": "rsa"}, claims()),
    "algorithm named twice": f'{segment(b"""{"alg":"RS256","alg":"none"}""")}.{segment(claims())}.',
    "public key as HMAC secret": signed_by_hand({"alg": "HS256", "kid": "rsa"}, PUBLIC_PEM),
    "public key as HMAC secret, stripped": signed_by_hand(
        {"alg": "HS256", "kid": "rsa"}, PUBLIC_PEM.strip()
    ),
    "modulus as HMAC secret": signed_by_hand(
        {"alg": "HS256", "kid": "rsa"}, str(RSA.as_dict()["n"]).encode()
    ),
    "HMAC under the name of RSA": signed_by_hand({"alg": "RS256", "kid": "rsa"}, PUBLIC_PEM),
    "empty secret": signed_by_hand({"alg": "HS256"}, b""),
    "key of a stranger": token(STRANGER),
    "unknown key": token(STRANGER, header={"kid": "other"}),
    "no name where there are several keys": token(header={"kid": None}),
    "name of a key that is a path": token(header={"kid": "../../dev/null"}),
    "name of a key that is a statement": token(header={"kid": "x' union select 'k"}),
    "name of a key that is no text": unsigned({"alg": "RS256", "kid": {"a": 1}}, claims()),
    "algorithm that is not allowed": token(algorithm="RS512"),
    "probabilistic instead of plain": token(algorithm="PS256"),
    "key of another kind": token(EC, "ES256", header={"kid": "rsa"}),
    "another kind of key with a name of theirs": unsigned(
        {"alg": "ES256", "kid": "ec"}, claims(), bytes(64)
    ),
    "zero signature": unsigned({"alg": "RS256", "kid": "rsa"}, claims(), bytes(256)),
    "empty signature": unsigned({"alg": "RS256", "kid": "rsa"}, claims()),
    "key brought along": token(STRANGER, header={"jwk": STRANGER.as_dict()}),
    "address of keys brought along": token(STRANGER, header={"jku": "http://127.0.0.1/keys.json"}),
    "certificate brought along": token(STRANGER, header={"x5c": ["MII="]}),
    "address of a certificate": token(header={"x5u": "http://127.0.0.1/c.pem"}),
    "critical extension": unsigned(
        {"alg": "RS256", "kid": "rsa", "crit": ["exp"], "exp": 1}, claims()
    ),
    "critical extension that is unknown": unsigned(
        {"alg": "RS256", "kid": "rsa", "crit": ["x"], "x": 1}, claims()
    ),
    "empty list of what is critical": unsigned(
        {"alg": "RS256", "kid": "rsa", "crit": []}, claims()
    ),
    "payload that is not encoded": unsigned(
        {"alg": "RS256", "kid": "rsa", "b64": False, "crit": ["b64"]}, claims()
    ),
    "token in a token": token(header={"cty": "JWT"}),
    "encrypted": "a.b.c.d.e",
    "encrypted, in three parts": unsigned({"alg": "RSA-OAEP", "enc": "A128GCM"}, claims()),
    "type of an identity": token(header={"typ": "logout+jwt"}),
    "type that is no text": unsigned({"alg": "RS256", "kid": "rsa", "typ": 7}, claims()),
    "header that is a list": unsigned([], claims()),
    "header that is no JSON": f"{segment(b'{')}.{segment(claims())}.",
    "header nested without end": f"{segment(b'[' * 4000)}.{segment(claims())}.",
    "header of NaN": f"{segment(b'NaN')}.{segment(claims())}.",
    "header that is no UTF-8": f"{segment(bytes([255]))}.{segment(claims())}.",
    "two parts": unsigned({"alg": "RS256"}, claims()).rpartition(".")[0],
    "four parts": token() + ".e30",
    "nothing": "",
    "dots": "..",
    "blank in between": token().replace(".", " .", 1),
    "line break at the end": token() + "\n",
    "padding": token() + "==",
    "not ASCII": token() + "é",
    "surrogate": token() + "\udcff",
    "huge": token(scope="a" * MAX_TOKEN_BYTES),
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED)
def test_what_the_issuer_did_not_sign_for_us_is_refused(judge: Judge, text: str) -> None:
    assert refusal(judge, text)


@pytest.mark.parametrize(
    "payload", [b"[]", b"7", b"{", b"", b"\xff", b"null", b"[" * 3000], ids=str
)
def test_a_payload_that_is_no_object_is_refused_though_it_is_signed(
    judge: Judge, payload: bytes
) -> None:
    text = jws.serialize_compact({"alg": "RS256", "kid": "rsa"}, payload, RSA)
    assert refusal(judge, text)


def test_changed_by_one_bit_it_is_refused(judge: Judge) -> None:
    good = token()
    head, payload, signature = good.split(".")
    changed = claims() | {"sub": "eve"}
    assert refusal(judge, f"{head}.{segment(changed)}.{signature}")
    flipped = signature[:-10] + ("A" if signature[-10] != "A" else "B") + signature[-9:]
    assert refusal(judge, f"{head}.{payload}.{flipped}")


@given(
    st.text(max_size=200)
    | st.builds(
        lambda a, b, c: f"{segment(a)}.{segment(b)}.{segment(c)}", *[st.binary(max_size=60)] * 3
    )
)
def test_nothing_but_a_refusal_comes_of_anything(judge: Judge, text: str) -> None:
    assert refusal(judge, text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from("alg kid typ crit b64 jwk x5c enc".split()), json_values))
def test_nothing_but_a_refusal_comes_of_any_header(judge: Judge, header: dict[str, Any]) -> None:
    assert refusal(judge, unsigned({"alg": "RS256", "kid": "rsa"} | header, claims()))


@given(st.dictionaries(st.sampled_from("iss aud exp nbf iat sub jti scope".split()), json_values))
def test_signed_claims_of_any_kind_end_in_a_principal_or_a_refusal(
    judge: Judge, others: dict[str, Any]
) -> None:
    try:
        text = token(**others)
    except ValueError:
        return  # half a surrogate pair is in no JSON
    with contextlib.suppress(CredentialError):
        assert judge(text).name.startswith(f"jwt:{ISSUER} ")


def test_no_secret_can_be_allowed_to_verify(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    secret = OctKey.generate_key(256, {"kid": "oct"})
    path.write_text(json.dumps({"keys": [secret.as_dict(private=True), RSA.as_dict(private=True)]}))
    with pytest.raises(UncheckedError):
        judging(path)(token())


def test_eddsa_has_two_names(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(key_set(ED))
    judge = judging(path, "EdDSA", "Ed25519")
    for name in ("EdDSA", "Ed25519"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)
            text = token(ED, name)
        assert judge(text).name.endswith("ada")


def test_a_token_without_a_key_s_name_is_taken_where_there_is_one_key(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(key_set(RSA))
    assert judging(path)(token(header={"kid": None})).name.endswith("ada")


def test_a_key_is_good_for_the_algorithm_that_its_set_says(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps({"keys": [{**RSA.as_dict(), "alg": "PS256"}, EC.as_dict()]}))
    assert refusal(judging(path, "RS256", "PS256"), token())
    assert judging(path, "RS256", "PS256")(token(algorithm="PS256")).name.endswith("ada")


class Clock:
    now = float(NOW)

    def __call__(self) -> float:
        return self.now


def test_what_is_remembered_as_verified_expires_all_the_same(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys.json", Clock()
    path.write_text(key_set())
    tokens = Tokens(rules(), IssuerKeys(str(path)), clock)
    text = token(exp=NOW + 60)

    async def scenario() -> None:
        await tokens.principal_of(text)  # by which the keys are read
        assert await tokens.principal_of(text) is await tokens.principal_of(text)
        clock.now += 60 + 29
        assert (await tokens.principal_of(text)).name.endswith("ada")
        clock.now += 2
        with pytest.raises(CredentialError, match="expired"):
            await tokens.principal_of(text)

    asyncio.run(scenario())
