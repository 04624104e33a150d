"""Bringing the names in a folder to the disk, once for all who wait: the group commit of the spool.

Who comes while nobody syncs does it. Who comes while another does waits for the next one,
because the running one may have begun before its rename; of all who wait then, one syncs for
the others. A sync that fails is the error of who made it; the others try themselves.
"""

import threading
from pathlib import Path

from karnak.gateway.disk import Disk


class FolderSync:
    """Syncs one folder for many threads.

    Args:
        disk: where it lies.
        folder: the folder.
    """

    def __init__(self, disk: Disk, folder: Path) -> None:
        self._disk = disk
        self._folder = folder
        self._turn = threading.Condition()
        self._running = False
        # Syncs are counted: how many have begun, and the last one that succeeded.
        self._begun = 0
        self._succeeded = 0

    def sync(self) -> None:
        """Return when every rename that was made before this call is on the disk.

        Raises:
            OSError: the disk refuses.
        """
        with self._turn:
            needed = self._begun + 1
            while self._running and self._succeeded < needed:
                self._turn.wait()
            if self._succeeded >= needed:
                return
            self._running = True
            self._begun += 1
            ours = self._begun
        succeeded = False
        try:
            self._disk.sync_folder(self._folder)
            succeeded = True
        finally:
            with self._turn:
                self._running = False
                if succeeded:
                    self._succeeded = ours
                self._turn.notify_all()
