"""Where a service registers, and as what, by its settings."""

import subprocess
from typing import Any

import pytest
from pydantic import ValidationError

from cdc.service import StartError
from producers.discovery.instances import Instance
from producers.discovery.registration import (
    REGISTRARS,
    RegistrationSettings,
    registrar_at,
    registration_of,
)
from tests.services import NOBODY_LISTENS, end, start


@pytest.mark.parametrize("scheme", REGISTRARS)
def test_each_registry_is_known_by_its_scheme(scheme: str) -> None:
    assert registrar_at(f"{scheme}://registry").name.startswith(f"{scheme}://registry:")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("zookeeper://a:1", "must be one of consul://host:port"),
        ("a:1", "must be one of"),
        ("etcd://", "must be host:port"),
        ("etcd://a:1,", "must be host:port"),
        ("etcd://a:b", "a port between"),
        ("etcd://a:70000", "a port between"),
        ("etcd://me:secret@a", "must not hold a user"),
        ("etcd://a/orders", "must name no service"),
        ("etcd://a?ttl_s=secret", "ttl_s"),
        ("etcd://a?ttl_s=1", "ttl_s"),
        ("etcd://a?other=1", "etcd:// knows"),
        ("etcd://a?secret", "name=value"),
        ("etcd://a?ttl_s=5&ttl_s=6", "only once"),
        ("etcd://a?password_file=secret", "absolute path"),
        ("etcd://a?ca_file=/secret/there/is/none", "ca_file"),
        ("etcd://[::1", "IPv6"),
        ("consul://a,b", "must name one agent"),
        ("consul://a/orders", "must name one agent"),
        ("consul://a?check=secret", "check"),
        ("eureka://a#secret", "no #fragment"),
    ],
)
def test_an_address_that_makes_no_sense_is_refused_and_not_repeated(address: str, why: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RegistrationSettings(register_at=address)
    [told] = caught.value.errors(include_input=False)
    assert why in told["msg"]
    assert "secret" not in told["msg"]


@pytest.mark.parametrize(
    "advertised", ["a:b", "a:70000", "http://a:1", "me@a", ":80", "a/b", "a b"]
)
def test_what_is_advertised_is_a_host_and_perhaps_a_port(advertised: str) -> None:
    with pytest.raises(ValidationError, match="must"):
        RegistrationSettings(advertise=advertised)


@pytest.mark.parametrize(
    ("advertised", "host", "reached_at"),
    [
        ("", "10.0.0.1", Instance("10.0.0.1", 8001)),
        ("orders.example:80", "0.0.0.0", Instance("orders.example", 80)),  # noqa: S104
        ("orders.example", "::", Instance("orders.example", 8001)),
        ("[::1]:80", "::", Instance("::1", 80)),
    ],
)
def test_others_reach_what_is_advertised_or_else_what_is_listened_on(
    advertised: str, host: str, reached_at: Instance
) -> None:
    settings = RegistrationSettings(register_at="etcd://a", advertise=advertised)
    figures = registration_of("orders", settings, host=host, port=8001).figures()
    assert figures is not None
    assert figures["instance"] == str(reached_at)


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104
def test_who_listens_everywhere_has_to_say_where_it_is_reached(host: str) -> None:
    settings = RegistrationSettings(register_at="etcd://a")
    with pytest.raises(StartError, match="set TAILRACE_ADVERTISE"):
        registration_of("orders", settings, host=host, port=8001)
    assert registration_of("orders", RegistrationSettings(), host=host, port=1).figures() is None


def test_a_service_says_in_a_sentence_what_is_wrong_with_it() -> None:
    def told(register_at: str, host: str) -> tuple[int, str]:
        storefront = ("-m", "producers.rest", "storefront")
        settings: dict[str, Any] = {
            "port": "1",
            "orders_url": NOBODY_LISTENS,
            "register_at": register_at,
            "allow_anyone": "true",
        }
        return end(start(*storefront, errors=subprocess.PIPE, host=host, **settings))

    status, errors = told("zoo://a", "127.0.0.1")
    assert status == 2
    assert "TAILRACE_REGISTER_AT cannot be used" in errors
    status, errors = told("etcd://a", "0.0.0.0")  # noqa: S104
    assert status == 1
    assert "cannot start: it listens on every address" in errors
    assert "Traceback" not in errors
