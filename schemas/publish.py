"""Publishing: the schemas of the catalogue go to the registry, all that changed or none."""

from collections.abc import Sequence
from dataclasses import dataclass

from schemas.publications import Publication, PublicationLog
from schemas.publish_plan import Contract, Planned, Progress, State, contracts, plan
from schemas.publisher import Publisher
from schemas.registry_settings import RegistrySettings
from schemas.registry_subjects import Subjects


@dataclass(frozen=True, slots=True)
class Published:
    """What the registry holds for one subject after publishing."""

    subject: str
    version: int
    schema_id: int
    state: State

    @property
    def new(self) -> bool:
        return self.state == "published"


def publish(
    registry: RegistrySettings,
    log: PublicationLog,
    publisher: Publisher,
    wanted: Sequence[Contract] | None = None,
    *,
    progress: Progress = lambda *_: None,
) -> list[Published]:
    """Register every schema that the registry does not hold yet, and note who did it; a second time does nothing.

    Args:
        registry: The registry, with the credentials of the role that may write.
        wanted: What to publish; all of the catalogue by default.
        progress: Called after each subject, first while they are judged, then while they are published.

    Raises:
        BrokenContractError: a schema breaks what its subject promises, or is none; nothing is registered.
    """
    done: list[Published] = []
    with Subjects.open(registry) as subjects:
        planned = plan(subjects, contracts() if wanted is None else wanted, progress)
        if any(each.state == "published" for each in planned):
            log.require()
        for each in planned:
            done.append(_carry_out(subjects, each, log, publisher))
            progress(each.contract.subject, len(done), len(planned))
    return done


def _carry_out(
    subjects: Subjects, planned: Planned, log: PublicationLog, publisher: Publisher
) -> Published:
    contract, held = planned.contract, planned.held
    if planned.state != "unchanged" and subjects.rule(contract.subject) != contract.rule:
        subjects.set_rule(contract.subject, contract.rule)
    if held is None:
        held = subjects.register(contract.subject, contract.text)
        log.append(Publication.now(contract.subject, held, publisher))
    return Published(contract.subject, held.version, held.schema_id, planned.state)
