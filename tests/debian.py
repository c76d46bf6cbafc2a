"""Programs of Debian packages for tests, unpacked into a directory of ours instead of being installed.

The package and what it depends on come from the sources that this machine's apt is configured with, and are checked by
apt. Neither root nor apt's own state is needed; what is there once is used without a network.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.errors import TailraceError
from infra.local.java.flock import exclusive
from infra.settings import load_settings

TIMEOUT_S = 240
SYSTEM_PATH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"))
PROGRAM_FOLDERS = ("usr/sbin", "usr/bin", "sbin", "bin")
LIBRARY_FOLDERS = (
    "usr/lib/*-linux-gnu*",
    "lib/*-linux-gnu*",
    "usr/lib",
    "lib",
    "usr/lib/*-linux-gnu*/pulseaudio",  # where libpulse, found by its run path, has its own
)


class NotInstallableError(TailraceError):
    """A program that a test needs cannot be had on this machine."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program that can be started."""

    path: Path
    library_path: str = ""

    @property
    def env(self) -> dict[str, str]:
        """The environment to start it in."""
        paths = [each for each in (self.library_path, os.environ.get("LD_LIBRARY_PATH")) if each]
        return {**os.environ, **({"LD_LIBRARY_PATH": ":".join(paths)} if paths else {})}


def program(
    name: str,
    *,
    package: str,
    cache: Path | None = None,
    folders: Sequence[str] = PROGRAM_FOLDERS,
) -> Program:
    """Return a program of a Debian package: the machine's own, or that of the package unpacked in the cache.

    Args:
        folders: Where the package has it, for one that is begun by a script which looks for it in the root.

    Raises:
        NotInstallableError: it can be had neither way.
    """
    if own := shutil.which(name, path=SYSTEM_PATH):
        return Program(Path(own))
    root = _unpacked(package, name, (cache or load_settings().cache) / "debian")
    for folder in folders:
        if (path := root / folder / name).is_file():
            libraries = (each for pattern in LIBRARY_FOLDERS for each in sorted(root.glob(pattern)))
            return Program(path, ":".join(str(each) for each in libraries if each.is_dir()))
    raise NotInstallableError(
        f"The package {package} of this machine's apt sources holds no program {name}: "
        f"install {name} so that it is found in the PATH, and run the test again."
    )


def _unpacked(package: str, name: str, home: Path) -> Path:
    """The directory with the files of a package and of what it needs; complete if it is there."""
    for tool in ("apt-get", "dpkg-deb"):
        if shutil.which(tool) is None:
            raise NotInstallableError(
                f"This test needs the program {name}, which is not installed, and cannot fetch it because this machine "
                f"has no {tool}: install {name} so that it is found in the PATH, and run the test again."
            )
    # packages of one release need not run on another one that shares the directory
    release = platform.freedesktop_os_release()
    home = home / f"{release['ID']}-{release.get('VERSION_ID', 'unstable')}-{platform.machine()}"
    root = home / "packages" / package
    with exclusive(home / ".lock"):
        if not root.is_dir():
            partial = root.with_name(f".{package}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            for archive in _downloaded(package, name, home):
                _run("dpkg-deb", "--extract", str(archive), str(partial), wanted=name)
            partial.rename(root)
    return root


def _downloaded(package: str, name: str, home: Path) -> list[Path]:
    """The archives of the package and of what it needs and this machine does not have."""
    archives = home / "archives"
    shutil.rmtree(archives, ignore_errors=True)
    for directory in (archives / "partial", home / "lists" / "partial", home / "state"):
        directory.mkdir(parents=True, exist_ok=True)
    options = {
        "Dir::State": home / "state",
        "Dir::State::Lists": home / "lists",
        "Dir::State::status": "/var/lib/dpkg/status",
        "Dir::Cache": home,
        "Dir::Cache::archives": archives,
        "Dir::Log": home,
        "Debug::NoLocking": "true",  # ours is held
        "APT::Sandbox::User": "",  # as root, apt would work as a user who may not enter here
        "Acquire::Retries": 3,
        "Acquire::http::Timeout": 30,
        "Acquire::https::Timeout": 30,
    }
    apt = ["apt-get", "--quiet", *(f"--option={key}={value}" for key, value in options.items())]
    download = [
        *apt,
        *("install", "--yes", "--download-only", "--no-install-recommends", package),
    ]
    try:
        _run(*download, wanted=name)
    except NotInstallableError:  # there are no lists yet, or they are too old
        _run(*apt, "update", "--error-on=any", wanted=name)
        _run(*download, wanted=name)
    return sorted(archives.glob("*.deb"))


def _run(*command: str, wanted: str) -> None:
    try:
        subprocess.run(
            command,
            env={**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=TIMEOUT_S,
            check=True,
        )
    except subprocess.CalledProcessError as error:
        told = [line for line in error.stdout.splitlines() if line.startswith(("E:", "dpkg"))]
        why = " ".join(told or error.stdout.splitlines()[-1:])
        raise _not_installable(wanted, f"`{command[0]}` failed: {why}") from error
    except subprocess.TimeoutExpired as error:
        why = f"`{command[0]}` took longer than {TIMEOUT_S} s"
        raise _not_installable(wanted, why) from error


def _not_installable(name: str, why: str) -> NotInstallableError:
    return NotInstallableError(
        f"This test needs the program {name}, which is not installed, and it could not be fetched from this machine's "
        f"apt sources ({why}): install {name} so that it is found in the PATH, or mend apt, and run the test again."
    )
