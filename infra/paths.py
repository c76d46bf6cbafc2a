"""Paths as a setting names them."""

from pathlib import Path

UNFIT = "\n\r\"'%;#$\\,:{}"
"""Each means something to somebody who is handed our paths, such as Kafka's lists and Java's class paths."""


def expanded(path: Path) -> Path:
    """Return a path with the home directory that `~` stands for.

    Raises:
        ValueError: there is no such account.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(
            f"must not begin with {path.parts[0]}, as there is no such account"
        ) from None


def plain_directory(path: Path) -> Path:
    """Return where a directory really is, which everybody who looks for its processes and files finds the same.

    Raises:
        ValueError: its path is one that not all can be handed who are to be.
    """
    path = expanded(path)
    if not path.is_absolute():
        raise ValueError("must be an absolute path")
    try:
        real = path.resolve()
    except (OSError, RuntimeError):
        raise ValueError("must not lead to itself by symbolic links") from None
    if any(character in str(real) for character in UNFIT):
        leads = "" if real == path else f", as {real} does, to which it leads"
        raise ValueError(f"must not hold quotes, line breaks or any of % ; # $ \\ , : {{ }}{leads}")
    return real
