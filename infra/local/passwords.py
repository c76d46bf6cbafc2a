"""The generated passwords, all 0600: raw for the JVMs and the registry, as passfile for libpq."""

import secrets
from pathlib import Path

from schemas.files import replace_file


def ensure_password(directory: Path, role: str) -> str:
    """Return the role's password, generating it at the first call.

    Both files are repaired if one is missing: `<role>.password` holds the bare password, and
    `<role>.pgpass` the line libpq looks for.
    """
    password = ensure_secret(directory, role)
    line = f"*:*:*:{role}:{password}\n"
    passfile = directory / f"{role}.pgpass"
    if not passfile.is_file() or passfile.read_text() != line:
        replace_file(passfile, line)
    return password


def ensure_secret(directory: Path, name: str) -> str:
    """Return the password in `<name>.password`, generating it at the first call."""
    raw = directory / f"{name}.password"
    password = raw.read_text() if raw.is_file() else ""
    if not password:
        password = secrets.token_urlsafe(24)
        replace_file(raw, password)
    return password
