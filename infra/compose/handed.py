"""The secrets that containers read: files of ours, and copies for servers that run under accounts of their images."""

import os

from infra.compose.addresses import POSTGRES_PORT
from infra.compose.engine import secrets_account
from infra.compose.parts import HANDED
from infra.local.java import registry
from infra.local.java.configuration import write_properties
from infra.local.passwords import ensure_password
from infra.local.provision import ensure_passwords
from infra.services import SUPERUSER
from infra.settings import Settings
from schemas.files import replace_file

# of the image: where it listens, and where it may write
OWN_OF_REGISTRY = frozenset(
    {
        "quarkus.http.host",
        "quarkus.http.port",
        "apicurio.import.work-dir",
        "apicurio.storage.snapshot.location",
    }
)


def hand_out(settings: Settings) -> None:
    """Make the passwords at the first call, and lay everything out for the containers.

    A file that somebody else's account is to read is open to all accounts. The directory is not, and the engine, which
    is root, shows a container that one file.
    """
    ensure_passwords(settings)
    ensure_password(settings.secrets, SUPERUSER)
    handed = settings.home / "handed"
    handed.mkdir(mode=0o700, exist_ok=True)
    for name in HANDED:
        if name.endswith(".password"):
            replace_file(handed / name, (settings.secrets / name).read_text())
        else:
            write_properties(handed / name, _registry_properties(settings))
        (handed / name).chmod(0o444)
    if (account := secrets_account()) is not None:
        for path in (settings.secrets, *settings.secrets.iterdir()):
            os.chown(path, *account)


def _registry_properties(settings: Settings) -> dict[str, object]:
    passwords = {name: settings.secret_file(name).read_text() for name in registry.USERS}
    own = registry.settings(settings.home, port=0)
    return {
        **{name: value for name, value in own.items() if name not in OWN_OF_REGISTRY},
        **registry.access(passwords),
        "apicurio.storage.sql.kind": "postgresql",
        "apicurio.datasource.url": f"jdbc:postgresql://postgres:{POSTGRES_PORT}/{registry.DATABASE}",
        "apicurio.datasource.username": registry.ROLE,
        "apicurio.datasource.password": settings.secret_file(registry.ROLE).read_text(),
    }
