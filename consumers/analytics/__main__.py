"""Runs the analytics worker: `python -m consumers.analytics`."""

from consumers.analytics.bootstrap import Settings, create_app
from consumers.runtime.worker import run

if __name__ == "__main__":
    run(create_app, Settings)
