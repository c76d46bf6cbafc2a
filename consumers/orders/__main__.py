"""Runs the orders worker: `python -m consumers.orders`."""

from consumers.orders.bootstrap import Settings, create_app
from consumers.runtime.worker import run

if __name__ == "__main__":
    run(create_app, Settings)
