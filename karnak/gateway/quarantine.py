"""The quarantine: instances that could not be de-identified without error, kept for a person to look at.

Each lies in a folder of its own, named by its receipt, below the day it came in: the
original as a Part 10 file, and a report that holds no value of it. These are patients' data:
only the owner of the process may look.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from karnak.gateway.answers import Result
from karnak.gateway.deliver.parcel import Buffer, Parcel
from karnak.gateway.deliver.whole_file import write_whole
from karnak.gateway.route import Caller

_FILE_MODE, _FOLDER_MODE = 0o600, 0o700


class Quarantine:
    """A folder for rejected instances.

    Args:
        folder: where they are kept; made when it is needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(
        self,
        receipt: str,
        when: datetime,
        caller: Caller,
        original: Parcel,
        rejections: Iterable[Result],
        profiles: Mapping[str, str],
    ) -> Path:
        """Keep an instance.

        Args:
            receipt: what the journal calls it.
            when: when it came in.
            caller: who sent it.
            original: the instance as it was received.
            rejections: which destinations' rules failed, and why.
            profiles: names of profiles by destination.

        Returns:
            The folder it lies in.

        Raises:
            OSError: it can't be written.
        """
        when = when.astimezone(UTC)
        report = {
            "receipt": receipt,
            "received": when.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "called_ae": caller.called_ae,
            "calling_ae": caller.calling_ae,
            "sop_class_uid": original.sop_class_uid,
            "transfer_syntax_uid": original.transfer_syntax_uid,
            "rejections": [
                {
                    "destination": result.destination or None,
                    "profile": profiles.get(result.destination),
                    "reason": result.reason,
                }
                for result in rejections
            ],
        }
        folder = self._folder / when.date().isoformat() / receipt
        self._write(folder / "instance.dcm", *original.file())
        self._write(folder / "report.json", (json.dumps(report, indent=2) + "\n").encode("ascii"))
        return folder

    def _write(self, path: Path, *pieces: Buffer) -> None:
        write_whole(path, *pieces, file_mode=_FILE_MODE, folder_mode=_FOLDER_MODE)
