"""How a registry is reached: settings from the environment, and secrets that are never shown."""

import logging
from pathlib import Path
from typing import Any

import pytest

from schemas.registry import client
from schemas.registry_settings import RegistrySettings, RegistrySettingsError

URL = "https://registry.example/apis/ccompat/v7"
SECRET = "never-shown"


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "publisher.password"
    file.write_text(f"{SECRET}\n")
    return file


def test_all_of_it_comes_from_the_environment(password: Path) -> None:
    settings = RegistrySettings.from_environment(
        {
            "TAILRACE_REGISTRY_URL": URL,
            "TAILRACE_REGISTRY_USER": "publisher",
            "TAILRACE_REGISTRY_PASSWORD_FILE": str(password),
            "TAILRACE_REGISTRY_CA_FILE": "/etc/ca.pem",
            "TAILRACE_REGISTRY_TIMEOUT_S": "2.5",
            "TAILRACE_REGISTRY_RETRIES": "7",
            "TAILRACE_REGISTRY_TOKEN_FILE": "",
        }
    )
    assert settings == RegistrySettings(
        url=URL,
        user="publisher",
        password_file=password,
        ca_file=Path("/etc/ca.pem"),
        timeout_s=2.5,
        retries=7,
    )
    assert settings.client_configuration() == {
        "url": URL,
        "timeout": 2.5,
        "max.retries": 7,
        "retries.wait.ms": 200,
        "retries.max.wait.ms": 5000,
        "ssl.ca.location": "/etc/ca.pem",
        "basic.auth.user.info": f"publisher:{SECRET}",
    }


def test_a_url_given_takes_the_place_of_the_environments() -> None:
    environment = {"TAILRACE_REGISTRY_URL": "http://other", "TAILRACE_REGISTRY_RETRIES": "0"}
    settings = RegistrySettings.from_environment(environment, url=URL)
    assert (settings.url, settings.retries) == (URL, 0)


@pytest.mark.parametrize(
    ("environment", "complaint"),
    [
        ({}, "TAILRACE_REGISTRY_URL is not set"),
        ({"TIMEOUT_S": "soon"}, "TAILRACE_REGISTRY_TIMEOUT_S should be a number but is 'soon'"),
        ({"RETRIES": "-1"}, "retries must be"),
        ({"RETRIES": "1000000"}, "retries must be"),
        ({"RETRY_WAIT_MS": "-1"}, "waits must not be negative"),
        ({"RETRY_MAX_WAIT_MS": "999999999999"}, "at most a day"),
        ({"TIMEOUT_S": "0"}, "timeout_s must be above 0"),
        ({"TIMEOUT_S": "nan"}, "timeout_s must be above 0"),
        ({"TIMEOUT_S": "inf"}, "at most a day"),
        ({"URL": "http://registry:99999"}, "url cannot be read"),
        ({"URL": "http://[registry"}, "url cannot be read"),
        ({"URL": "http://"}, "url names no host"),
        ({"URL": "ftp://registry"}, "must begin with http"),
        ({"URL": f"http://me:{SECRET}@registry"}, "url must hold no credentials"),
        ({"USER": "me"}, "user and password_file go together"),
        ({"USER": "a:b", "PASSWORD_FILE": "f"}, "colon"),
        ({"USER": "a", "PASSWORD_FILE": "f", "TOKEN_FILE": "t"}, "exclude each other"),
        ({"KEY_FILE": "key.pem"}, "key_file needs certificate_file"),
    ],
)
def test_what_makes_no_sense_is_refused(environment: dict[str, str], complaint: str) -> None:
    url = {} if not environment else {"TAILRACE_REGISTRY_URL": URL}
    variables = url | {f"TAILRACE_REGISTRY_{name}": text for name, text in environment.items()}
    with pytest.raises(RegistrySettingsError, match=complaint) as refused:
        RegistrySettings.from_environment(variables)
    assert SECRET not in str(refused.value)


def test_a_password_that_cannot_be_read_is_a_sentence(tmp_path: Path) -> None:
    settings = RegistrySettings(url=URL, user="publisher", password_file=tmp_path / "none")
    with pytest.raises(RegistrySettingsError, match=r"credentials cannot be read from .*none"):
        client(settings)


def test_secrets_are_not_shown(password: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = RegistrySettings(url=URL, user="publisher", password_file=password)
    client(settings).close()
    assert SECRET not in repr(settings) + str(settings) + caplog.text


def test_a_token_is_read_again_each_time(tmp_path: Path) -> None:
    token = tmp_path / "token"
    settings = RegistrySettings(url=URL, token_file=token)
    configuration: dict[str, Any] = settings.client_configuration()
    read = configuration["bearer.auth.custom.provider.function"]
    for text in ("first", "second"):
        token.write_text(text)
        fields = read(configuration["bearer.auth.custom.provider.config"])
        assert fields["bearer.auth.token"] == text


def test_certificates_are_read_only_where_there_will_be_some() -> None:
    plain = RegistrySettings(url="http://registry.example")
    assert plain.client_configuration()["ssl.ca.location"] is False
    assert "ssl.ca.location" not in RegistrySettings(url=URL).client_configuration()
