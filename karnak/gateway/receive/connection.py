"""A TCP connection, in the clear or under TLS, with a deadline on every wait and a way to wake who waits.

Between two receives nothing is asked of the system but the bytes: the connection never blocks, and only when there are
none does its thread sleep.
"""

import os
import select
import socket
import ssl
import threading
import time
from contextlib import suppress

_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_WOULD_BLOCK = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Connection:
    """One accepted connection; all but `wake` belongs to one thread.

    Args:
        accepted: the socket, which is this object's from now on.

    Raises:
        OSError: it is dead already, or the system has no more descriptors.
    """

    def __init__(self, accepted: socket.socket) -> None:
        self._socket = accepted
        accepted.setblocking(False)
        # Our answers are short and waited for: they don't wait for company (RFC 896).
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._alarm: int | None = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._reading = select.poll()
        self._reading.register(accepted, select.POLLIN)
        self._reading.register(self._alarm, select.POLLIN)
        # A descriptor that is closed may be somebody else's the next moment: nobody writes to it then.
        self._ringing = threading.Lock()

    def handshake(self, context: ssl.SSLContext, deadline: float) -> bool:
        """Put TLS over the connection, as its server.

        Args:
            context: certificates and rules.
            deadline: on the monotonic clock.

        Returns:
            Whether the peer went along.

        Raises:
            TimeoutError: the deadline has passed.
        """
        try:
            wrapped = context.wrap_socket(
                self._socket, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
            )
            self._socket = wrapped
            while True:
                try:
                    wrapped.do_handshake()
                    return True
                except _WOULD_BLOCK as error:
                    self._wait(_direction(error, select.POLLIN), deadline)
        except TimeoutError:
            raise
        except (OSError, ValueError):
            return False

    def receive_into(self, room: memoryview, deadline: float) -> int | None:
        """Take what has come, or wait for something.

        Args:
            room: where it goes.
            deadline: on the monotonic clock.

        Returns:
            The number of bytes, 0 when the peer is gone, None when somebody called `wake`.

        Raises:
            TimeoutError: nothing came before the deadline.
        """
        while True:
            try:
                count = self._socket.recv_into(room)
            except _WOULD_BLOCK as error:
                if self._wait(_direction(error, select.POLLIN), deadline):
                    return None
            except OSError:
                return 0
            else:
                if count and _QUICKACK is not None:
                    # A sender with Nagle's algorithm on sends the rest of its PDU when this was acknowledged, which a
                    # lazy acknowledgement puts off by 40 ms. The option wears off, so it is set again each time.
                    try:
                        self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
                    except OSError:
                        return count
                return count

    def send(self, data: bytes, deadline: float) -> bool:
        """Send bytes.

        Args:
            data: what to send.
            deadline: on the monotonic clock.

        Returns:
            Whether all of it went out; if not, the peer is gone.

        Raises:
            TimeoutError: the peer does not take it.
        """
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except _WOULD_BLOCK as error:
                self._wait(_direction(error, select.POLLOUT), deadline, heed_alarm=False)
            except OSError:
                return False
        return True

    def wake(self) -> None:
        """End the wait of `receive_into`, or the next one; from any thread, also when the connection is closed."""
        with self._ringing:
            if self._alarm is not None:
                os.eventfd_write(self._alarm, 1)

    def close(self) -> None:
        """Close the connection; under TLS the peer is told that this is the end, not a break."""
        if isinstance(self._socket, ssl.SSLSocket):
            with suppress(OSError, ValueError):
                # Its answer is not waited for.
                self._socket.unwrap()
        with suppress(OSError):
            self._socket.close()
        with self._ringing:
            alarm, self._alarm = self._alarm, None
            if alarm is not None:
                os.close(alarm)

    def _wait(self, events: int, deadline: float, heed_alarm: bool = True) -> bool:
        """Sleep until the socket is ready; says whether somebody called `wake` instead."""
        seconds = deadline - time.monotonic()
        if heed_alarm and events == select.POLLIN:
            poll = self._reading
        else:
            poll = select.poll()
            poll.register(self._socket, events)
            if heed_alarm and self._alarm is not None:
                poll.register(self._alarm, select.POLLIN)
        ready = poll.poll(max(0.0, seconds) * 1000)
        if not ready:
            raise TimeoutError
        if self._alarm is None or all(descriptor != self._alarm for descriptor, _ in ready):
            return False
        os.eventfd_read(self._alarm)
        return True


def _direction(error: BaseException, otherwise: int) -> int:
    """What the socket must be ready for: TLS may have to write in order to read."""
    if isinstance(error, ssl.SSLWantReadError):
        return select.POLLIN
    if isinstance(error, ssl.SSLWantWriteError):
        return select.POLLOUT
    return otherwise
