"""An engine and images for the tests of containers, on a machine that has them, or where they can be made.

Official images are taken where they can be pulled. Where they cannot, stand-ins for them are built, on Debian's image
if that is there, else on one that `debootstrap` makes.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.compose import images
from infra.compose.standin.__main__ import BASE, build
from infra.errors import TailraceError
from infra.settings import REPOSITORY, load_settings

PACKAGES = ("docker.io", "docker-compose", "iptables")
RELEASE = "bookworm"
MADE_BASE = f"tailrace/debian:{RELEASE}"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
OWN_AUTHORITIES = Path("/usr/local/share/ca-certificates")
"""From here Debian adds to its own when it writes that file anew."""
LOG = REPOSITORY / "build" / "dockerd.log"
ENGINE_TIMEOUT_S = 60


class NoEngineError(TailraceError):
    """There is no engine, and none can be brought up."""


@contextmanager
def engine() -> Iterator[str]:
    """Have an engine while the block runs, and images; the block is told which images these are."""
    started = None if _answers() else _start()
    try:
        yield _images()
    finally:
        if started:
            started.terminate()
            started.wait(ENGINE_TIMEOUT_S)


def _answers() -> bool:
    return shutil.which("docker") is not None and _run(["docker", "info"]).returncode == 0


def _start() -> "subprocess.Popen[bytes]":
    """Install an engine if need be, and start it."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise NoEngineError(
            "These tests need Docker: `docker info` fails, and only root on Debian can install and start an engine "
            "here. Start Docker, or run them as a user who may use it."
        )
    if shutil.which("dockerd") is None or shutil.which("docker-compose") is None:
        _install(PACKAGES)
    LOG.parent.mkdir(exist_ok=True)
    with LOG.open("wb") as log:
        daemon = subprocess.Popen(["dockerd"], stdout=log, stderr=log, start_new_session=True)
    deadline = time.monotonic() + ENGINE_TIMEOUT_S
    while not _answers():
        if daemon.poll() is not None or time.monotonic() > deadline:
            daemon.terminate()
            raise NoEngineError(f"dockerd was started and does not answer: {LOG} says why.")
        time.sleep(0.2)
    return daemon


def _install(packages: Sequence[str]) -> None:
    _must(["apt-get", "update", "-q"])
    _must(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages])


def _images() -> str:
    wanted = (*images.OFFICIAL, images.PYTHON)
    if all(_has(each) for each in wanted):
        return "the images that are here"
    if all(_has(each) or _run(["docker", "pull", "-q", each]).returncode == 0 for each in wanted):
        return "the official images"
    base = BASE if _has(BASE) or _run(["docker", "pull", "-q", BASE]).returncode == 0 else _base()
    for image in build(base, load_settings().cache):
        assert _has(image)
    return "stand-ins"


def _has(image: str) -> bool:
    return _run(["docker", "image", "inspect", image]).returncode == 0


def _base() -> str:
    """Make an image of Debian, with the certificate authorities that this machine trusts."""
    if _has(MADE_BASE):
        return MADE_BASE
    if shutil.which("debootstrap") is None:
        if os.geteuid() != 0 or shutil.which("apt-get") is None:
            raise NoEngineError(
                f"Neither the official images nor {BASE} can be pulled, and only root on Debian can make a base here: "
                "load them into the engine with `docker load`."
            )
        _install(["debootstrap"])
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        root = Path(directory) / "root"
        _must(["debootstrap", "--variant=minbase", RELEASE, str(root), *_mirror()])
        shutil.rmtree(root / "var/cache/apt/archives")
        for path in (CERTIFICATES, *OWN_AUTHORITIES.glob("*.crt")):
            if path.is_file():
                target = root / path.relative_to("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, target)
        variables = ("SSL_CERT_FILE", "PIP_CERT")
        changes = [word for name in variables for word in ("-c", f"ENV {name}={CERTIFICATES}")]
        archive = Path(directory) / "root.tar"
        _must(["tar", "-C", str(root), "-cf", str(archive), "."])
        _must(["docker", "import", *changes, "-c", 'CMD ["/bin/bash"]', str(archive), MADE_BASE])
    return MADE_BASE


def _mirror() -> list[str]:
    """Return where this machine has its own packages from, if that can be told."""
    sources = Path("/etc/apt/sources.list.d/debian.sources")
    if not sources.is_file():
        return []
    lines = (line.split() for line in sources.read_text().splitlines())
    return next(([words[1]] for words in lines if len(words) > 1 and words[0] == "URIs:"), [])


def _must(command: Sequence[str]) -> None:
    if (result := _run(command)).returncode != 0:
        raise NoEngineError(f"{' '.join(command)} failed: {result.stderr.strip()[-500:]}")


def _run(command: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, check=False)
