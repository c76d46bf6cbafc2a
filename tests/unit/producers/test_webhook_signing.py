"""Signatures of webhooks, held against the specification's example and the receiver that the documents show."""

import base64
from uuid import uuid4

import pytest

from producers.webhooks import signing
from producers.webhooks.sealing import Seal, UnsealError
from producers.webhooks.signing import KeyFormatError

# of RFC 8032, section 7.1, test 1
SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
POINT = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")


def test_an_hmac_is_that_of_the_published_example() -> None:
    signed = signing.sign(
        ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_the_public_key_follows_from_the_private_one() -> None:
    key = signing.PRIVATE + base64.b64encode(SEED).decode()
    assert signing.public_key_of(key) == signing.PUBLIC + base64.b64encode(POINT).decode()
    assert signing.public_key_of(signing.new_secret()) is None


def test_each_key_has_its_signature() -> None:
    keys = [signing.new_secret(), signing.new_private_key(), signing.new_secret()]
    signed = signing.sign(keys, "id", 1, b"body").split(" ")
    assert [each.partition(",")[0] for each in signed] == ["v1", "v1a", "v1"]
    assert len(set(signed)) == 3


@pytest.mark.parametrize(
    "secret",
    [
        "",
        "whsec_",
        "whsec_short",
        "whsec_" + base64.b64encode(b"x" * 23).decode(),
        "whsec_" + base64.b64encode(b"x" * 65).decode(),
        "whsec_" + "!" * 44,
        "whsec_" + "ü" * 44,
        "whsk_" + base64.b64encode(b"x" * 32).decode(),
        base64.b64encode(b"x" * 32).decode(),
    ],
)
def test_what_is_no_secret_is_refused_and_not_repeated(secret: str) -> None:
    with pytest.raises(KeyFormatError) as refused:
        signing.require_secret(secret)
    assert len(secret) < 8 or secret[6:] not in str(refused.value)


@pytest.mark.parametrize("length", [24, 32, 64])
def test_a_secret_may_be_chosen(length: int) -> None:
    signing.require_secret(signing.SECRET + base64.b64encode(b"x" * length).decode())


def test_a_sealed_key_opens_for_its_endpoint_and_key_alone() -> None:
    mine, other, seal = uuid4(), uuid4(), Seal(b"k" * 32)
    sealed = seal.seal("whsec_x", mine)
    assert b"whsec" not in sealed
    assert sealed != seal.seal("whsec_x", mine)
    assert seal.open(sealed, mine) == "whsec_x"
    for opener, endpoint in ((seal, other), (Seal(b"l" * 32), mine)):
        with pytest.raises(UnsealError):
            opener.open(sealed, endpoint)
    with pytest.raises(UnsealError):
        seal.open(b"", mine)
