"""Publishing messages again to another topic."""

import click

from consumers.replay.errors import EmptyRangeError
from consumers.replay.plan import open_source
from consumers.replay.to_topic import Republisher, require_topic
from infra.cli.output import console, print_json
from infra.cli.parked.access import confirm
from infra.cli.parked.text import counted
from infra.cli.progress import working
from infra.cli.replay.request import Request
from infra.cli.replay.text import announcement
from schemas.catalogue import catalogue
from schemas.codec import Codec
from schemas.registry import SchemaStore


def _require_meant(name: str, *, yes: bool) -> None:
    """Ask before a topic of the catalogue gets what its owner did not send."""
    declared = catalogue().topics.get(name)
    if declared is not None:
        readers = ", ".join(declared.consumers) or "nobody of ours"
        confirm(
            f"Publish to {name}, which is fed by {declared.owner} and read by {readers}? Live consumers take what they "
            "have not taken.",
            yes=yes,
        )


def into_topic(request: Request) -> int:
    """Publish, report, and return 0."""
    settings, state = request.settings, request.state
    bootstrap = settings.kafka_bootstrap
    require_topic(bootstrap, state.target, request.plan, create=bool(request.asked["create"]))
    if not request.quiet:
        click.echo(announcement(request.plan), err=True)
    _require_meant(state.target, yes=bool(request.asked["yes"]))
    codec = Codec(SchemaStore(settings.registry_url, settings.schema_cache), ())
    source = open_source(request.plan, request.selection, bootstrap, request.logs, codec)
    republisher = Republisher(bootstrap, state.target, state.note, request.save)
    request.save()
    shown = not request.quiet
    with (
        request.resumable(),
        working(console(stderr=True), "published", request.plan.total, shown=shown) as show,
    ):
        records = republisher.run(
            source,
            state.places(),
            tell=lambda moved: show(moved.read),
            rate=request.asked["rate"],
        )
    request.forget()
    if not records and not request.is_resumed:
        raise EmptyRangeError(f"no message in the range is like that{source.complaint()}")
    if request.quiet:
        print_json({"run_id": state.run_id, "topic": state.target, "messages": records})
    else:
        click.echo(f"{counted(records, 'message')} published to {state.target}.")
    return 0
