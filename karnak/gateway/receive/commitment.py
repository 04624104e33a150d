"""Storage Commitment, as data: what is asked, and what is reported. Source: PS3.4 annex J."""

from collections.abc import Collection
from dataclasses import dataclass, field
from io import BytesIO
from typing import Protocol

from pydicom import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import write_dataset
from pydicom.uid import UID, ImplicitVRLittleEndian

from karnak.gateway.receive.commands import Status, is_uid
from karnak.gateway.receive.offer import STORAGE_COMMITMENT
from karnak.runtime.decode import decode_dataset
from karnak.runtime.encoding import encoding_of

# The well-known SOP Instance (PS3.6 annex A).
COMMITMENT_INSTANCE = "1.2.840.10008.1.20.1.1"
# Request Storage Commitment, PS3.4 section J.3.2.
REQUEST_ACTION = 1
# PS3.4 section J.3.3.
_ALL_SAFE, _SOME_FAILED = 1, 2

# SOP Class UID and SOP Instance UID of an instance.
Reference = tuple[str, str]


class InvalidTransaction(Exception):
    """A data set asks for nothing that could be committed."""


@dataclass(frozen=True, slots=True)
class Transaction:
    """A request to commit instances.

    Attributes:
        uid: Transaction UID (0008,1195).
        references: the instances.
        context_id: of the presentation context that it came in; 0 away from its association.
        transfer_syntax_uid: of that context.
    """

    uid: str
    references: tuple[Reference, ...] = field(repr=False)
    context_id: int = 0
    transfer_syntax_uid: str = str(ImplicitVRLittleEndian)


@dataclass(frozen=True, slots=True)
class Report:
    """What became of a transaction.

    Attributes:
        transaction: the request.
        safe: those of its instances that are safe; None when that could not be found out.
    """

    transaction: Transaction
    safe: frozenset[Reference] | None = field(repr=False)

    @property
    def event_type(self) -> int:
        """EventTypeID (0000,1002)."""
        return _SOME_FAILED if self.safe is None or self._failed() else _ALL_SAFE

    def data_set(self) -> Dataset:
        """The Event Information."""
        failed = self._failed()
        made = Dataset()
        made.TransactionUID = self.transaction.uid
        safe = [one for one in self.transaction.references if one not in failed]
        if safe:
            made.ReferencedSOPSequence = [_item(reference) for reference in safe]
        if failed:
            reason = Status.PROCESSING_FAILURE if self.safe is None else Status.NO_SUCH_INSTANCE
            made.FailedSOPSequence = [_item(reference, reason) for reference in failed]
        return made

    def encoded(self) -> bytes:
        """The Event Information as it goes out, in the transfer syntax of the request."""
        syntax = UID(self.transaction.transfer_syntax_uid)
        stream = DicomBytesIO()
        stream.is_little_endian, stream.is_implicit_VR = syntax.is_little_endian, syntax.is_implicit_VR
        write_dataset(stream, self.data_set())
        encoded: bytes = stream.getvalue()
        return encoded

    def _failed(self) -> dict[Reference, None]:
        safe: Collection[Reference] = self.safe or ()
        return dict.fromkeys(one for one in self.transaction.references if one not in safe)


class Reporter(Protocol):
    """An association that can bring a report to its requestor."""

    def report(self, report: Report, seconds: float) -> bool:
        """Send an N-EVENT-REPORT when the association is at leisure.

        Args:
            report: what to say.
            seconds: to wait for the answer.

        Returns:
            Whether it was answered with Success; False also when the association has ended.
        """


def read_transaction(data: bytes, transfer_syntax_uid: str, context_id: int) -> Transaction:
    """Read the Action Information of a request.

    Args:
        data: the encoded data set.
        transfer_syntax_uid: one of those that are not compressed.
        context_id: of the presentation context that it came in.

    Raises:
        InvalidTransaction: it lacks the UIDs that make a request, or can't be read.
    """
    syntax = UID(transfer_syntax_uid)
    try:
        # pydicom reads what was cut off as if it were whole.
        decode_dataset(data, encoding_of(transfer_syntax_uid))
        found = read_dataset(BytesIO(data), syntax.is_implicit_VR, syntax.is_little_endian, bytelength=len(data))
        uid = str(found.TransactionUID)
        references = tuple(
            (str(item.ReferencedSOPClassUID), str(item.ReferencedSOPInstanceUID))
            for item in found.ReferencedSOPSequence
        )
    except Exception:
        # Whatever the reader stumbles over, the peer sent it; the exception's text may quote it.
        raise InvalidTransaction from None
    if not references or not all(map(is_uid, (uid, *(one for pair in references for one in pair)))):
        raise InvalidTransaction
    return Transaction(uid, references, context_id, transfer_syntax_uid)


def refusal_of(sop_class_uid: str, sop_instance_uid: str, action_type: int | None) -> Status | None:
    """Tell why an N-ACTION is not taken, or None."""
    if sop_class_uid != STORAGE_COMMITMENT:
        return Status.UNSUPPORTED_SOP_CLASS
    if sop_instance_uid != COMMITMENT_INSTANCE:
        return Status.NO_SUCH_INSTANCE
    return None if action_type == REQUEST_ACTION else Status.NO_SUCH_ACTION


def _item(reference: Reference, failure: int | None = None) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = reference
    if failure is not None:
        item.FailureReason = failure
    return item
