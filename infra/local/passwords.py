"""The generated passwords of the database roles: raw for the JVMs, as passfile for libpq, all 0600."""

import secrets
from pathlib import Path

from infra.local.home import write_private


def ensure_password(directory: Path, role: str) -> str:
    """Return the role's password, generating it at the first call.

    Both files are repaired if one is missing: `<role>.password` holds the bare password, and
    `<role>.pgpass` the line libpq looks for.
    """
    raw = directory / f"{role}.password"
    password = raw.read_text() if raw.is_file() else ""
    if not password:
        password = secrets.token_urlsafe(24)
        write_private(raw, password)
    line = f"*:*:*:{role}:{password}\n"
    passfile = directory / f"{role}.pgpass"
    if not passfile.is_file() or passfile.read_text() != line:
        write_private(passfile, line)
    return password
