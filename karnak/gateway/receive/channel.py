"""Between the gateway and a receiver process: messages as lines of JSON over a socket pair.

From a receiver: `{"ready": true}`, `{"stored": receipt, "bytes": n, "seconds": s}` (a hint; the spool is the truth),
`{"refused": 1}`, `{"journal": [event, values]}`; for Storage Commitment
`{"commit": n, "transaction": UID, "references": [[SOP Class UID, SOP Instance UID], ...], "caller": [...]}` and, once
it was reported or could not be, `{"reported": n, "success": bool}`.
To a receiver: first `{"settings": {...}}`; then, whenever it changes, `{"admission": {...}}` and `{"full": bool}`;
`{"kept": n, "taken": bool}` when a request is on disk, `{"report": n, "safe": [...] or null, "seconds": s}`;
`{"stop": seconds}`.
"""

import json
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any


class Channel:
    """One end.

    Args:
        end: the socket, which is this object's from now on.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(True)
        self._end = end
        self._sending = threading.Lock()

    def send(self, message: Mapping[str, object]) -> bool:
        """Send a message, from any thread; waits while the other end doesn't read.

        Returns:
            False when the other end is gone.
        """
        line = json.dumps(message).encode("ascii") + b"\n"
        try:
            with self._sending:
                self._end.sendall(line)
        except OSError:
            return False
        return True

    def messages(self) -> Iterator[Mapping[str, Any]]:
        """Read messages until the other end is gone; what it had half sent is dropped."""
        with self._end.makefile("rb") as lines:
            try:
                for line in lines:
                    if line.endswith(b"\n"):
                        yield json.loads(line)
            except OSError:
                return

    def close(self) -> None:
        """Close this end."""
        self._end.close()
