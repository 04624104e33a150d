"""What is sent in one round: instances of every kind that ends differently, by C-STORE and by STOW-RS."""

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http.client import HTTPException
from pathlib import Path

from pydicom.uid import ExplicitVRLittleEndian

from karnak.runtime.part10 import split_part10
from tests.gateway.instances import SECONDARY_CAPTURE, file_bytes
from tests.system.programs import run

PLANTED = b"PLANTED"
CT_IMAGE = "1.2.840.10008.5.1.4.1.1.2"
TOKEN = "token-of-the-scanner"
_BOUNDARY = "between-parts"
_SOP_INSTANCE, _REFERENCED = "00081155", "00081199"


class Kind(StrEnum):
    """How an instance is to end."""

    PLAIN = "plain"
    # Sent more than once with the same UIDs and another content.
    TWICE = "twice"
    # Its SOP Class is not one that the peer gets.
    EXCLUDED = "excluded"
    # It has no PatientID to make a pseudonym of.
    REJECTED = "rejected"
    # Command and data set name two instances.
    MISMATCH = "mismatch"
    # A person may drop it while the peer is down.
    DROPPED = "dropped"
    # Somebody may cut off its file while the peer is down.
    SPOILED = "spoiled"


KEPT_BACK = frozenset({Kind.REJECTED, Kind.MISMATCH})


@dataclass
class Sent:
    """An instance that was sent.

    Attributes:
        kind: how it is to end.
        study: its Study Instance UID.
        versions: its encoded data sets, in the order in which they were sent.
        acknowledged: how many of them, up to the last one that was answered with Success.
        released: it was dropped or cut off, which ends the debt.
    """

    kind: Kind
    study: str
    versions: list[bytes] = field(default_factory=list)
    acknowledged: int = 0
    released: bool = False


@dataclass
class Log:
    """What was sent and what was acknowledged; filled by senders side by side.

    Attributes:
        instances: by SOP Instance UID.
        sent: how many data sets were sent.
        acknowledged: how many of them were answered with Success.
    """

    instances: dict[str, Sent] = field(default_factory=dict)
    sent: int = 0
    acknowledged: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass(frozen=True, slots=True)
class Letter:
    """One data set on its way.

    Attributes:
        uid: its SOP Instance UID.
        version: which of its versions it is, from 1.
        file: as a Part 10 file.
    """

    uid: str
    version: int
    file: bytes


def letter(log: Log, number: int, name: str, kind: Kind) -> Letter:
    """Make an instance of a round, or the next version of one that is there."""
    uid, study = f"1.2.3.{number}.{name}", f"1.2.3.{number}.{int(kind is Kind.DROPPED)}"
    attributes: dict[str, object] = {} if kind is Kind.REJECTED else {"PatientID": f"PLANTED{number}"}
    with log.lock:
        sent = log.instances.setdefault(uid, Sent(kind, study))
        version = len(sent.versions) + 1
        data = file_bytes(
            str(ExplicitVRLittleEndian),
            SOPClassUID=CT_IMAGE if kind is Kind.EXCLUDED else SECONDARY_CAPTURE,
            SOPInstanceUID=uid,
            StudyInstanceUID=study,
            SeriesInstanceUID=f"{study}.{name}",
            PatientName="PLANTED^NAME",
            SeriesDescription="PLANTED " * 8,
            InstanceNumber=version,
            BitsAllocated=8,
            PixelData=bytes([version]) * 5000,
            **attributes,
        )
        if kind is Kind.MISMATCH:
            data = _renamed(data, uid)
        sent.versions.append(split_part10(data)[1])
    return Letter(uid, version, data)


def _renamed(data: bytes, uid: str) -> bytes:
    """Let the data set name another instance than the file meta information does, which comes first."""
    at = data.rindex(uid.encode("ascii"))
    return data[:at] + b"9" + data[at + 1 :]


def send_round(log: Log, number: int, folder: Path, port: int, stow_port: int, patience: float) -> None:
    """Send what a round has, over two associations and one STOW-RS request at once."""

    def made(*wanted: tuple[str, Kind]) -> list[Letter]:
        return [letter(log, number, name, kind) for name, kind in wanted]

    first = made(("1.1", Kind.PLAIN), ("1.2", Kind.TWICE), ("1.2", Kind.TWICE), ("1.3", Kind.EXCLUDED))
    second = made(("2.1", Kind.PLAIN), ("2.2", Kind.REJECTED), ("2.3", Kind.PLAIN))
    third = made(("3.1", Kind.PLAIN), ("3.2", Kind.DROPPED), ("3.3", Kind.SPOILED), ("3.4", Kind.MISMATCH))
    threads = [
        threading.Thread(target=store, args=(log, first, folder / "send-1", port, patience)),
        threading.Thread(target=store, args=(log, second, folder / "send-2", port, patience)),
        threading.Thread(target=stow, args=(log, third, stow_port, patience)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def store(log: Log, letters: Sequence[Letter], folder: Path, port: int, patience: float) -> None:
    """Send by dcmtk's storescu, over one association; it stops at the first failure."""
    folder.mkdir(exist_ok=True)
    files = []
    for number, one in enumerate(letters):
        files.append(folder / f"{number}.dcm")
        files[-1].write_bytes(one.file)
    seconds = str(round(patience))
    options = ("-v", "-aec", "TRIAL1", "-ta", seconds, "-td", seconds)
    said = run("storescu", *options, "127.0.0.1", str(port), *files).stderr
    told = said.count("Received Store Response (Success)")
    _note(log, said.count("Sending file:"), letters[:told])


def stow(log: Log, letters: Sequence[Letter], port: int, patience: float) -> None:
    """Send by STOW-RS, in one request; what its answer lists as stored is acknowledged (PS3.18 section 10.5)."""
    head = f"--{_BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode("ascii")
    body = b"".join(head + one.file + b"\r\n" for one in letters) + f"--{_BOUNDARY}--\r\n".encode("ascii")
    headers = {
        "Authorization": f"Bearer {TOKEN}",
        "Content-Type": f'multipart/related; type="application/dicom"; boundary={_BOUNDARY}',
        "Accept": "application/dicom+json",
    }
    request = urllib.request.Request(f"http://127.0.0.1:{port}/dicomweb/studies", body, headers, method="POST")
    told: set[str] = set()
    try:
        with urllib.request.urlopen(request, timeout=patience) as answer:
            told = _stored(json.loads(answer.read()))
    except urllib.error.HTTPError as error:
        error.close()
    except (OSError, HTTPException, ValueError):
        # The gateway fell before it could answer, or while it did.
        pass
    _note(log, len(letters), [one for one in letters if one.uid in told])


def _stored(answer: Mapping[str, Mapping[str, list[Mapping[str, Mapping[str, list[str]]]]]]) -> set[str]:
    items = answer.get(_REFERENCED, {}).get("Value", [])
    return {item[_SOP_INSTANCE]["Value"][0] for item in items}


def _note(log: Log, sent: int, told: Sequence[Letter]) -> None:
    with log.lock:
        log.sent += sent
        log.acknowledged += len(told)
        for one in told:
            found = log.instances[one.uid]
            found.acknowledged = max(found.acknowledged, one.version)
