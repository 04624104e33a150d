"""What the audit log is told of instances, rules and people."""

from collections.abc import Iterable, Iterator

from karnak.gateway.audit import AuditEntry, AuditEvent
from karnak.gateway.states import TERMINAL
from karnak.gateway.store.rows import Change, Entry


def of_entries(entries: Iterable[Entry]) -> Iterator[AuditEntry]:
    """Instances that came in; one that nobody's rules are asked about ends here, too."""
    for entry in entries:
        arrival = entry.arrival
        yield AuditEntry.of(
            AuditEvent.RECEIVED,
            receipt=entry.receipt,
            door=arrival.door,
            called_ae=arrival.called_ae,
            calling_ae=arrival.calling_ae,
            address=arrival.address,
        )
        if entry.quarantined is not None:
            yield AuditEntry.of(AuditEvent.QUARANTINED, receipt=entry.receipt, cause=entry.quarantined)


def of_changes(changes: Iterable[Change]) -> Iterator[AuditEntry]:
    """Parts that have ended."""
    for change in changes:
        if change.state not in TERMINAL:
            continue
        values: dict[str, str] = {"receipt": change.receipt, "destination": change.destination}
        optional = {
            "cause": change.cause,
            "digest": change.program,
            "output_sop_instance_uid": change.new and change.new.sop_instance_uid,
            "output_series_instance_uid": change.new and change.new.series_instance_uid,
            "output_study_instance_uid": change.new and change.new.study_instance_uid,
        }
        values |= {name: value for name, value in optional.items() if value}
        yield AuditEntry.of(AuditEvent(str(change.state)), **values)
