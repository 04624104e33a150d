"""A storage SCP as pynetdicom's documentation writes it: decode the data set, `save_as`. A peer for `receive.py`.

usage: python -m benchmarks.pynetdicom_scp PORT FOLDER
"""

import logging
import sys
from pathlib import Path

from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE, _config, evt


def main(port: int, folder: Path) -> None:
    """Serve until killed.

    Args:
        port: TCP port.
        folder: where instances go.
    """
    _config.LOG_HANDLER_LEVEL = "none"
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL + 1)
    ae = AE("PYNETDICOM")
    ae.add_supported_context(CTImageStorage, ExplicitVRLittleEndian)

    def store(event: evt.Event) -> int:
        instance = event.dataset
        instance.file_meta = event.file_meta
        instance.save_as(folder / f"{instance.SOPInstanceUID}.dcm", enforce_file_format=True)
        return 0x0000

    ae.start_server(("127.0.0.1", port), block=True, evt_handlers=[(evt.EVT_C_STORE, store)])


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
