"""What may be called by a webhook: a corpus of addresses and tricks, and DNS answers that change or are mixed."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.webhooks.addresses import Policy, RefusedUrlError, admit, is_public
from tests.dns_server import DnsServer

ADDRESSES = """
0.0.0.0 0.1.2.3 10.0.0.1 10.255.255.255 100.64.0.1 100.127.255.254 127.0.0.1 127.255.255.254 168.63.129.16
169.254.169.254 169.254.170.2 172.16.0.1 172.31.255.255 192.0.0.1 192.0.0.8 192.0.0.9 192.0.0.170 192.0.2.1 192.88.99.1
192.168.0.1 192.168.255.255 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1
255.255.255.255
:: ::1 ::127.0.0.1 ::10.0.0.1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:7f00:1 ::ffff:0:127.0.0.1
64:ff9b::127.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::192.168.1.1 64:ff9b:1::1 64:ff9b:1::8.8.8.8 100::1 2001::1
2001:0:7f00:1::1 2001:2::1 2001:10::1 2001:20::1 2001:db8::1 2002:7f00:1:: 2002:a9fe:a9fe::1 2002:808:808::1 3fff::1
5f00::1 fc00::1 fd00:ec2::254 fd12:3456:789a::1 fe80::1 febf::1 fec0::1 feff::1 ff02::1 ff05::2 ff0e::1
""".split()

TRICKS = [
    "http://example.com/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "//example.com/",
    "example.com",
    "",
    "https://",
    "https:///path",
    "https:example.com/",
    "https:\\\\example.com/",
    "HTTPS ://example.com/",
    "https://localhost/",
    "https://LOCALHOST/",
    "https://intranet/",
    "https://localhost./",
    "https://example.com./",
    "https://example..com/",
    "https://.example.com/",
    "https://-example.com/",
    "https://example-.com/",
    "https://ex_ample.com/",
    f"https://{'a' * 64}.com/",
    f"https://{'a.' * 127}com/",
    f"https://example.com/{'a' * 2048}",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1#@example.com/",
    "https://example.com#fragment",
    "https://example.com\\@127.0.0.1/",
    "https://example.com/\r\nHost: 127.0.0.1",
    "https://example.com/a b",
    " https://example.com/",
    "https://example.com/\n",
    "https://exa\tmple.com/",
    "https://example.com/\x00",
    "https://example.com:80/",
    "https://example.com:22/",
    "https://example.com:0/",
    "https://example.com:65536/",
    "https://example.com:99999999999/",
    "https://example.com:/",
    "https://example.com:+443/",
    "https://example.com:\uff14\uff14\uff13/",
    "https://127.1/",
    "https://127.0.1/",
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0X7F.0.0.1/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://017700000001/",
    "https://127.0.0.01/",
    "https://127.0.0.1./",
    "https://127.0.0.256/",
    "https://1.2.3.4.5/",
    "https://127.0.0.0x1/",
    "https://example.0x/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://①②⑦.0.0.1/",
    "https://127。0。0。1/",
    "https://ⓛocalhost/",
    "https://bücher.example/",
    "https://exam\u200bple.com/",
    "https://exam\u00adple.com/",
    "https://[::1]/",
    "https://[::1%25lo]/",
    "https://[fe80::1%25eth0]/",
    "https://[fe80::1%eth0]/",
    "https://[::ffff:127.0.0.1]:443/",
    "https://[::1/",
    "https://::1/",
    "https://[]/",
    "https://[1.2.3.4]/",
    "https://[v1.fe80]/",
    "https://[:::1]/",
    "https://%31%32%37.0.0.1/",
    "https://example.com%2f@127.0.0.1/",
    "https://$(id).example.com/",
    "https://*.example.com/",
]


async def no_names(name: str) -> Sequence[str]:
    raise OSError


def refusal(url: str, policy: Policy) -> str:
    with pytest.raises(RefusedUrlError) as refused:
        asyncio.run(admit(url, policy))
    return str(refused.value)


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_that_is_not_public_is_refused_however_it_is_come_by(address: str) -> None:
    async def leads_there(name: str) -> Sequence[str]:
        return [address]

    host = f"[{address}]" if ":" in address else address
    assert "not public" in refusal(f"https://{host}/", Policy(resolve=no_names))
    assert "not public" in refusal("https://example.com/", Policy(resolve=leads_there))
    if ":" not in address:
        assert "not public" in refusal(f"https://[::ffff:{address}]/", Policy(resolve=no_names))
        assert "not public" in refusal(f"https://[64:ff9b::{address}]/", Policy(resolve=no_names))


@pytest.mark.parametrize("url", TRICKS)
def test_a_trick_is_refused_before_any_name_is_looked_up(url: str) -> None:
    async def must_not_be_asked(name: str) -> Sequence[str]:
        pytest.fail(f"{name} was looked up")

    told = refusal(url, Policy(resolve=must_not_be_asked))
    assert told.isprintable()
    assert told.isascii()


def test_the_corpus_is_as_large_as_it_should_be() -> None:
    assert len(set(ADDRESSES)) + len(set(TRICKS)) >= 130


def test_public_addresses_are_called_as_they_are_written() -> None:
    async def public(name: str) -> Sequence[str]:
        return ["93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"]

    policy = Policy(ports=frozenset({443, 8443}), resolve=public)
    called = asyncio.run(admit("HTTPS://Hooks.Example.com:8443?a=b", policy))
    assert (called.scheme, called.host, called.authority, called.target) == (
        "https",
        "hooks.example.com",
        "hooks.example.com:8443",
        "/?a=b",
    )
    assert len(called.addresses) == 2
    called = asyncio.run(admit("https://[2606:4700:4700::1111]/x", policy))
    assert (called.host, called.authority) == ("2606:4700:4700::1111", "[2606:4700:4700::1111]")
    assert (
        asyncio.run(admit("https://xn--bcher-kva.example/", policy)).authority
        == "xn--bcher-kva.example"
    )


@pytest.mark.parametrize("found", [[], ["nonsense"]])
def test_a_name_without_addresses_is_refused(found: list[str]) -> None:
    async def leads_nowhere(name: str) -> Sequence[str]:
        return found

    assert "no address" in refusal("https://example.com/", Policy(resolve=leads_nowhere))
    assert "no address" in refusal("https://example.com/", Policy(resolve=no_names))


def test_loopback_has_to_be_allowed_and_is_never_come_by_through_another_name() -> None:
    async def loopback(name: str) -> Sequence[str]:
        return ["127.0.0.1"]

    async def elsewhere(name: str) -> Sequence[str]:
        return ["127.0.0.1", "10.0.0.1"]

    policy = Policy(loopback=True, resolve=loopback)
    for url in (
        "http://localhost:8000/",
        "http://127.0.0.1:1/",
        "https://[::1]:9/",
        "http://127.9.9.9/",
    ):
        assert asyncio.run(admit(url, policy)).is_local
    assert "not https" in refusal("http://example.com/", policy)
    assert "not public" in refusal("https://example.com/", policy)
    assert "not public" in refusal("https://10.0.0.1/", policy)
    assert "usual form" in refusal("http://127.1:8000/", policy)
    assert "not public" in refusal("http://localhost/", Policy(loopback=True, resolve=elsewhere))


def test_a_name_that_is_rebound_is_refused_at_the_next_look() -> None:
    def rebound(name: str, number: int) -> Sequence[str]:
        return ["93.184.215.14"] if number == 0 else ["127.0.0.1"]

    async def look() -> None:
        server = DnsServer(rebound)
        async with server.open() as resolve:
            policy = Policy(resolve=resolve)
            called = await admit("https://rebind.example/", policy)
            assert [str(each) for each in called.addresses] == ["93.184.215.14"]
            with pytest.raises(RefusedUrlError, match="not public"):
                await admit("https://rebind.example/", policy)
        assert server.asked == ["rebind.example"] * 2

    asyncio.run(look())


@pytest.mark.parametrize(
    "mixed",
    [
        ["93.184.215.14", "10.0.0.1"],
        ["10.0.0.1", "93.184.215.14"],
        ["93.184.215.14", "::1"],
        ["93.184.215.14", "64:ff9b::a9fe:a9fe"],
        ["2606:2800:21f:cb07:6820:80da:af6b:8b2c", "169.254.169.254"],
    ],
)
def test_one_address_that_is_not_public_spoils_the_others(mixed: list[str]) -> None:
    async def look() -> None:
        async with DnsServer(lambda name, number: mixed).open() as resolve:
            with pytest.raises(RefusedUrlError, match="not public"):
                await admit("https://mixed.example/", Policy(resolve=resolve))

    asyncio.run(look())


@given(st.text(max_size=80))
def test_whatever_is_given_is_refused_or_judged(text: str) -> None:
    for url in (text, f"https://{text}", f"https://{text}/", f"https://example.com{text}"):
        try:
            called = asyncio.run(admit(url, Policy(resolve=no_names)))
        except RefusedUrlError:
            continue
        assert called.scheme == "https"
        assert all(map(is_public, called.addresses))
