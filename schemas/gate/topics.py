"""What may change of a topic that carries messages: what it is, and how its records are laid out, is relied on too."""

from collections.abc import Iterator
from dataclasses import dataclass

from schemas.catalogue import Catalogue, Topic
from schemas.gate.catalogued import Entry, Promises
from schemas.gate.finding import Finding
from schemas.gate.json_text import line_in
from schemas.gate.modes import Mode
from schemas.gate.tree import CATALOGUE


@dataclass(frozen=True, slots=True)
class TopicChange:
    """A change of a topic that carried messages before."""

    finding: Finding
    # whether it is only to be known: it can be done with care, or its messages promise nothing
    is_allowed: bool


def changes(before: Promises, declared: Catalogue, text: str, prefix: str) -> Iterator[TopicChange]:
    """Yield what changed of the topics that carried messages and are still there.

    Args:
        text: The catalogue's.
    """
    for name, topic in declared.topics.items():
        was = before.topics.get(name)
        if was is None or not was["messages"]:
            continue
        withdrawn = all(
            Mode.NONE in {before.mode(each), Mode(declared.compatibility_of(each))}
            for each in was["messages"]
        )
        for rule, problem, fix, is_careful in _changed(was, topic):
            finding = Finding(
                subject=name,
                rule=rule,
                problem=problem,
                fix=fix,
                file=prefix + CATALOGUE,
                line=line_in(text, text.find(f'[topics."{name}"]')),
            )
            yield TopicChange(finding, is_allowed=is_careful or withdrawn)


_WITHDRAW = 'or withdraw the promises of its messages with compatibility = "NONE" in the catalogue'
_PAUSE = "Stop its writers and let its consumers come to the end before"


def _changed(was: Entry, topic: Topic) -> Iterator[tuple[str, str, str, bool]]:
    """Yield rule, problem and way out of each change, and whether it is fine where it is done with care."""
    if (kind := was["kind"]) != topic.kind:
        how = f"as deployed, whoever sends to it or reads it goes by what holds for {kind}"
        fix = f"Leave it {kind}, and give the {topic.kind} a topic of their own; {_WITHDRAW}"
        yield "topic-kind-changed", f"it had {kind} and now has {topic.kind}; {how}", fix, False
    if (many := was["partitions"]) > topic.partitions:
        what = f"partitions were reduced from {many} to {topic.partitions}"
        fix = f"Leave {many}, or declare another topic; {_WITHDRAW}, and make it anew"
        yield "topic-partitions-reduced", f"{what}; Kafka takes none from a topic", fix, False
    elif 0 < many < topic.partitions:
        what = f"partitions were raised from {many} to {topic.partitions}"
        fix = f"{_PAUSE} `tailrace topics apply --add-partitions`"
        yield "topic-partitions-raised", f"{what}; keys move to other ones by that", fix, True
    if was["owner"] not in {"", topic.owner}:
        what = f"owner was {was['owner']} and is {topic.owner}"
        where = "come from another outbox" if topic.kind == "events" else "are for another service"
        yield "topic-owner-changed", f"{what}; its messages {where} from then on", _PAUSE, True
    if was["aggregate"] not in {"", topic.aggregate}:
        what = f"aggregate was {was['aggregate']} and is {topic.aggregate}"
        yield "topic-aggregate-changed", f"{what}; keys stand for something else", _PAUSE, True
