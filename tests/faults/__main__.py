"""Injects faults into a stack of its own: `python -m tests.faults`, or `make chaos`."""

import random
import signal
from threading import Event
from typing import get_args

import click

from infra.cli.output import console, json_option, tell
from infra.settings import Publisher
from infra.shapes import Shape
from tests.bench.command import run_to_exit
from tests.bench.options import names_of
from tests.bench.stack import LOGS_KEPT, keep_logs, own_stack
from tests.faults.network import clear, why_not
from tests.faults.plan import after, at_risk, plan, with_network
from tests.faults.report import Report, document, show
from tests.faults.run import conduct

MAX_SEED = 2**32 - 1


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seed", type=click.IntRange(0, MAX_SEED), help="Repeat the faults of another run.")
@click.option("--faults", type=click.IntRange(1), default=40, show_default=True, help="How many.")
@click.option(
    "--after",
    "done",
    type=click.IntRange(0),
    default=0,
    help="Leave out as many of them, as a run before has done them.",
)
@click.option(
    "--rate",
    type=click.FloatRange(0, 500, min_open=True),
    default=20.0,
    show_default=True,
    help="Orders per second.",
)
@click.option(
    "--publisher",
    type=click.Choice(get_args(Publisher)),
    default="cdc",
    show_default=True,
    help="Who carries the outbox to Kafka.",
)
@click.option(
    "--profile",
    "shape",
    type=click.Choice(get_args(Shape)),
    default="single",
    show_default=True,
    help="What the stack is.",
)
@click.option(
    "--network",
    is_flag=True,
    help="Lose packets on the way to parts as well: for root, by iptables.",
)
@click.option("--parts", default="", help="Parts to hit, with commas between them; all by default.")
@json_option
@click.pass_context
def chaos(
    context: click.Context,
    *,
    seed: int | None,
    faults: int,
    done: int,
    rate: float,
    publisher: Publisher,
    shape: Shape,
    network: bool,
    parts: str,
) -> None:
    """Kill, freeze and restart the parts of a stack of its own while orders flow; lose those of a cluster for good,
    and fill their disks.

    Afterwards every order is followed through all tables and topics. Ends with 0 when none was lost, repeated or
    reordered and the pipeline never stood still for more than 60 s, with 1 otherwise, with 2 on wrong usage. The same
    seed gives the same faults at the same times after each recovery. SIGTERM ends a run after the fault that is under
    way, and what was done until then is judged.
    """
    known = at_risk(publisher, shape)
    if network:
        if (reason := why_not()) is not None:
            raise click.UsageError(f"no packets can be lost here: {reason}")
        clear()
        known = with_network(known)
    try:
        chosen = {name: known[name] for name in names_of(parts, known, "part")} if parts else known
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    seed = random.randrange(MAX_SEED) if seed is None else seed  # noqa: S311 - it picks victims
    steps = after(plan(seed, faults, chosen), done)
    if not steps:
        raise click.UsageError(f"of {faults} faults none is left after {done}")
    enough = Event()
    signal.signal(signal.SIGTERM, lambda *_: enough.set())
    said = console(stderr=True)
    said.print(f"SEED={seed} FAULTS={faults} PUBLISHER={publisher} PROFILE={shape}")
    with own_stack(
        publisher=publisher,
        profile=shape,
        workers="shared" if shape == "cluster" else "apart",
        metrics="off",
    ) as stack:
        run = conduct(stack, steps, per_s=rate, seed=seed, say=said.print, is_enough=enough.is_set)
        report = Report(
            seed=seed,
            faults=faults,
            publisher=publisher,
            shape=shape,
            rate=rate,
            run=run,
            left_out=done,
            network=network,
        )
        if not report.ok:
            keep_logs(stack)
    tell(document(report), lambda: show(report, console()))
    if not report.ok:
        said.print(f"The logs of the stack are in {LOGS_KEPT}.")
        context.exit(1)


if __name__ == "__main__":
    run_to_exit(chaos, "chaos")
