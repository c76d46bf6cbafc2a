"""The file of those who may sign in: each with a role, and a password of which it holds no more than a hash."""

import base64
import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.console.installation import Mode
from infra.errors import RequestError, TailraceError
from schemas.files import replace_file

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
SHORTEST = 12
LONGEST = 1024
COST, BLOCK, PARALLEL = 2**15, 8, 1
"""Of scrypt: 32 MB and a tenth of a second for each try."""
MEMORY = 2 * 128 * COST * BLOCK


class UsersError(TailraceError):
    """The file of users cannot be used."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in."""

    name: str
    role: Mode
    password: str  # its hash

    def has(self, password: str) -> bool:
        """Tell whether that is the password; it takes as long when it is not."""
        return hmac.compare_digest(self.password, _hash(password, self.password.split("$")[1]))


NOBODY = User("", "look", f"scrypt${base64.b64encode(bytes(16)).decode()}$")
"""Is tried where there is no user of a name, so that it takes as long to be refused."""


class Users:
    """Reads the file anew when it has changed; who is taken out of it, or given another password, is out at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._stamp: tuple[int, int] | None = None
        self._users: Mapping[str, User] = {}

    def find(self, name: str) -> User | None:
        """Return a user; None when there is none of that name.

        Raises:
            UsersError: the file cannot be read, or others may read it.
        """
        try:
            status = self._path.stat()
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                if status.st_mode & 0o077:
                    raise UsersError(
                        f"{self._path} holds hashes of passwords, and others may read it: run `chmod 600` on it"
                    )
                self._users, self._stamp = _parse(self._path), stamp
        except OSError as error:
            raise UsersError(f"{self._path} cannot be read: {error.strerror}") from error
        return self._users.get(name)


def add(path: Path, name: str, role: Mode, password: str) -> None:
    """Put somebody into the file, which is made where there is none, or give them another role and password."""
    if not NAME.fullmatch(name):
        raise RequestError(
            f"{name!r} is no name: it has letters, digits and . _ @ -, and begins with a letter or a digit."
        )
    if not SHORTEST <= len(password) <= LONGEST:
        raise RequestError(f"A password has at least {SHORTEST} characters.")
    salt = base64.b64encode(secrets.token_bytes(16)).decode()
    users = _parse(path) if path.exists() else {}
    _write(path, {**users, name: User(name, role, _hash(password, salt))})


def remove(path: Path, name: str) -> None:
    users = _parse(path) if path.exists() else {}
    if name not in users:
        raise RequestError(f"{path} has no {name!r}; it has {', '.join(users) or 'nobody'}.")
    _write(path, {each: user for each, user in users.items() if each != name})


def _hash(password: str, salt: str) -> str:
    made = hashlib.scrypt(
        password.encode(errors="surrogatepass"),
        salt=base64.b64decode(salt),
        n=COST,
        r=BLOCK,
        p=PARALLEL,
        maxmem=MEMORY,
        dklen=32,
    )
    return f"scrypt${salt}${base64.b64encode(made).decode()}"


def _parse(path: Path) -> dict[str, User]:
    try:
        content: dict[str, Any] = tomllib.loads(path.read_text())
        return {name: _user(name, each["role"], each["password"]) for name, each in content.items()}
    except (ValueError, KeyError, TypeError) as error:
        raise UsersError(f"{path} is no file of users: {error!r}") from error


def _user(name: str, role: object, password: object) -> User:
    match role, password:
        case "look" | "act", str() if password.isascii() and password.count("$") == 2:
            base64.b64decode(password.split("$")[1])
            return User(name, role, password)
    raise ValueError(f"it says something of {name!r} that is no role, or no hash")


def _write(path: Path, users: Mapping[str, User]) -> None:
    lines = [
        f'["{user.name}"]\nrole = "{user.role}"\npassword = "{user.password}"\n'
        for user in users.values()
    ]
    replace_file(path, "\n".join(lines))
