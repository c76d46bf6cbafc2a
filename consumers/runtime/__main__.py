"""Runs workers of services in the foreground: `python -m consumers.runtime payments`, or several of them together."""

from functools import partial
from types import ModuleType

from cdc.service import bootstraps_named, load, name_of
from cdc.tracing.process import traced
from cdc.tracing.settings import TraceSettings
from consumers.runtime.outside import RealOutside
from consumers.runtime.process import run_together
from consumers.runtime.settings import WorkerSettings
from consumers.runtime.worker import Worker


def main() -> None:
    """Work until told to stop."""
    named = {name_of(bootstrap): bootstrap for bootstrap in bootstraps_named("consumers")}
    told = {name: load(bootstrap.Settings, name) for name, bootstrap in named.items()}
    first = next(iter(named))
    with traced(first, load(TraceSettings, first)):
        run_together({name: partial(_create, named[name], told[name]) for name in named})


def _create(bootstrap: ModuleType, settings: WorkerSettings) -> Worker:
    return Worker(bootstrap.create_consumer(settings, RealOutside()), settings)


if __name__ == "__main__":
    main()
