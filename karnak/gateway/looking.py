"""A person looks at the ledger: the audit log says so before anything is shown.

Where a gateway runs, it writes the log, and is asked to; where none runs, it is written here.
"""

from collections.abc import Callable
from datetime import datetime

from karnak.gateway.api.caller import NoAnswer, ask
from karnak.gateway.audit import AuditEntry, AuditEvent, AuditLog
from karnak.gateway.house_lock import HouseLock, HouseTaken
from karnak.gateway.house_plan import ApiPlan
from karnak.gateway.premises import Premises

_NOTED = 200
# Who may read the data folder is not asked for a name.
_ACTOR = "local"


def note_look(
    premises: Premises, gate: Callable[[], ApiPlan], *, patients: bool, clock: Callable[[], datetime]
) -> None:
    """Have the audit log say that somebody looks.

    Args:
        premises: where the gateway keeps things.
        gate: says where a gateway that runs can be asked.
        patients: whether identifiers of patients are decrypted.
        clock: tells the time, with its zone.

    Raises:
        NoAnswer: the gateway that runs doesn't answer.
        KarnakError: it can't be asked, or the log can't be written.
        OSError: the disk refuses.
    """
    try:
        with HouseLock(premises.data_dir):
            log = AuditLog(premises.data_dir / "audit", clock)
            try:
                log.write(AuditEntry.of(event_of(patients=patients), actor=_ACTOR))
            finally:
                log.close()
    except HouseTaken:
        status, _ = ask(gate(), "POST", "/api/v1/ledger/looks", {"patients": patients})
        if status != _NOTED:
            raise NoAnswer(f"the gateway did not note the look in its audit log (HTTP status {status})") from None


def event_of(*, patients: bool) -> AuditEvent:
    """What the audit log calls a look."""
    return AuditEvent.PATIENTS_READ if patients else AuditEvent.LEDGER_READ
