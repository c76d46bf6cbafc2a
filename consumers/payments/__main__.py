"""Runs the payments worker: `python -m consumers.payments`."""

from consumers.payments.bootstrap import Settings, create_app
from consumers.runtime.worker import run

if __name__ == "__main__":
    run(create_app, Settings)
