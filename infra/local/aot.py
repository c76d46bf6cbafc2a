"""Training of Java's start-up cache: a one-shot program in the background, ended by `down` like any other."""

from infra.interpreter import module_command
from infra.local.java import aot as java_aot
from infra.local.program import Program, fingerprint
from infra.local.supervision.client import Supervisor
from infra.settings import REPOSITORY, Settings

NAME = "aot-training"


def program(settings: Settings) -> Program:
    """Describe the training run; it lowers its own priority."""
    argv = module_command("infra.local.java.train", "--cache", str(settings.cache))
    return Program(
        name=NAME,
        argv=argv,
        env={},
        directory=REPOSITORY,
        stage=50,
        restart=False,
        fingerprint=fingerprint(argv, {}),
    )


def train_in_background(settings: Settings, supervisor: Supervisor) -> bool:
    """Begin training if the settings want the cache and it does not exist; tell whether it began."""
    if settings.aot != "auto" or java_aot.trained(settings.cache):
        return False
    return supervisor.start(NAME)
