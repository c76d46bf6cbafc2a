"""Runs a command of the benchmarks or of `make chaos` as a process."""

import sys
from typing import NoReturn

import click

from infra.errors import explain
from tests.bench.errors import BenchError

INTERRUPTED = 130


def run_to_exit(command: click.Command, name: str) -> NoReturn:
    """Run the command and exit; a failure is a sentence, and an interruption leaves nothing running.

    Args:
        command: What to run, with the arguments of this process.
        name: Stands before the sentence.
    """
    try:
        code = command.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted; what was started is gone.", err=True)
        sys.exit(INTERRUPTED)
    except Exception as error:
        sentence = str(error) if isinstance(error, BenchError) else explain(error)
        if sentence is None:
            raise
        sys.exit(f"{name}: {sentence}")
    sys.exit(code or 0)
