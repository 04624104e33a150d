"""Ending instances: what becomes of an original when nobody is owed it any more.

The index is committed before; a file that could not be dealt with is found and ended at the next look through the
spool. Only what a rule or a check kept back stays, in quarantine, and a person removes it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal

from karnak.gateway.journal import Journal
from karnak.gateway.receipts import time_of
from karnak.gateway.spool import Arrival, DamagedFile, NotInSpool, Spool
from karnak.gateway.states import State
from karnak.gateway.store.rows import Ending

_KEPT_BACK = frozenset({State.REJECTED, State.QUARANTINED})


class Endings:
    """Removes, keeps or quarantines originals.

    Args:
        spool: where they lie.
        originals: what becomes of one that nobody's rules have kept back.
        journal: where events are written.
        clock: tells the time, in UTC.
        profile_of: gives the name of a profile by the digest of its program, or None.
    """

    def __init__(
        self,
        spool: Spool,
        originals: Literal["remove", "keep"],
        journal: Journal,
        clock: Callable[[], datetime],
        profile_of: Callable[[str], str | None],
    ) -> None:
        self._spool = spool
        self._originals = originals
        self._journal = journal
        self._clock = clock
        self._profile_of = profile_of

    def end(self, instances: Mapping[str, Sequence[Ending]]) -> list[str]:
        """End instances.

        Args:
            instances: how their parts ended, by receipt.

        Returns:
            Receipts of those whose file is dealt with; the disk has refused the others.
        """
        settled = []
        for receipt, endings in instances.items():
            try:
                self._end(receipt, endings)
            except NotInSpool:
                # It was dealt with before a crash.
                pass
            except OSError as error:
                self._journal.write_error("ending failed", error, receipt=receipt)
                continue
            settled.append(receipt)
        return settled

    def _end(self, receipt: str, endings: Sequence[Ending]) -> None:
        when = time_of(receipt) or self._clock()
        if any(ending.state in _KEPT_BACK for ending in endings):
            self._spool.quarantine(receipt, self._report(receipt, when, endings), when)
        elif self._originals == "keep":
            self._spool.archive(receipt, when)
        else:
            self._spool.remove(receipt)

    def _report(self, receipt: str, when: datetime, endings: Iterable[Ending]) -> dict[str, object]:
        """What the quarantine says of an instance; no value of it but its SOP Class and transfer syntax."""
        arrival = self._arrival(receipt)
        return {
            "receipt": receipt,
            "received": when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
            "called_ae": arrival and arrival.called_ae,
            "calling_ae": arrival and arrival.calling_ae,
            "sop_class_uid": arrival and arrival.sop_class_uid,
            "transfer_syntax_uid": arrival and arrival.transfer_syntax_uid,
            "parts": [
                {
                    "destination": ending.destination or None,
                    "state": str(ending.state),
                    "profile": self._profile_of(ending.program) if ending.program is not None else None,
                    "cause": ending.cause,
                }
                for ending in endings
            ],
        }

    def _arrival(self, receipt: str) -> Arrival | None:
        try:
            held = self._spool.open(receipt)
        except (NotInSpool, DamagedFile):
            return None
        held.close()
        return held.arrival
