"""Runs a service's worker in the foreground: `python -m consumers.runtime payments`."""

from cdc.service import bootstrap_named
from consumers.runtime.outside import RealOutside
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.worker import WorkerApp, run


def main() -> None:
    """Work until told to stop."""
    bootstrap = bootstrap_named("consumers")

    def create_app(settings: WorkerSettings) -> WorkerApp:
        return WorkerApp(bootstrap.create_consumer(settings, RealOutside()), settings)

    run(create_app, bootstrap.Settings)


if __name__ == "__main__":
    main()
