"""A connection to a peer: pieces go out, PDUs come in, with a deadline on every wait.

The socket never blocks: what can be sent is sent at once from where it lies, by one system call for many
pieces, and only a peer that is slower than we are is waited for. TCP is told neither to hold
small pieces back (TCP_NODELAY) nor to be late with acknowledgements (TCP_QUICKACK), since
a peer with Nagle's algorithm (RFC 896) would wait 40 ms for those. Inside TLS pieces are joined to records.
"""

import contextlib
import select
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from typing import Self

from karnak.gateway.deliver.parcel import Buffer, DeliveryError

# What we tell the peer to send at most, and what we refuse to read however it is announced.
MAXIMUM_RECEIVED = 65536
_MAXIMUM_READ = 1 << 20
# Pieces that one system call takes (IOV_MAX of Linux and others).
_MAXIMUM_PIECES = 1024
# Bytes that are joined for TLS: four records (RFC 8446 section 5.1).
_JOINED = 1 << 16
_PDU_HEADER = struct.Struct(">BxL")
_QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
# Verification results of OpenSSL (x509_vfy.h) that have a sentence of their own.
_CERTIFICATE_PROBLEMS = {
    9: "its certificate isn't valid yet",
    10: "its certificate has expired",
    18: "its certificate is signed by itself and not trusted",
    19: "its certificate is signed by an authority that isn't trusted",
    20: "its certificate is signed by an authority that isn't trusted",
    21: "its certificate is signed by an authority that isn't trusted",
    62: "its certificate is for another host",
    64: "its certificate is for another host",
}


class AssociationLost(DeliveryError):
    """The peer closed or aborted an association; a new one may do."""


class Line:
    """A connection, for one thread at a time; `interrupt` is for the others.

    Args:
        connection: a connected socket, or a TLS socket before its handshake.
    """

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._socket = connection
        self._tls = connection if isinstance(connection, ssl.SSLSocket) else None
        self._received = bytearray()
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(connection, select.POLLIN)
        self._writable.register(connection, select.POLLOUT)

    @classmethod
    def connect(cls, host: str, port: int, deadline: float, tls: ssl.SSLContext | None = None) -> Self:
        """Connect to a peer, and agree on TLS where that is asked for.

        Args:
            host: name or address; what the peer's certificate must be for, where the context checks that.
            port: TCP port.
            deadline: by the monotonic clock, in seconds.
            tls: what TLS asks for, or None to do without.

        Raises:
            TimeoutError: the deadline passed.
            DeliveryError: no connection, or no TLS.
        """
        try:
            connection = socket.create_connection((host, port), max(deadline - time.monotonic(), 0.001))
        except TimeoutError:
            raise
        except OSError as error:
            raise DeliveryError(f"no connection: {error.strerror or type(error).__name__}") from None
        try:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if tls is not None:
                connection = tls.wrap_socket(connection, do_handshake_on_connect=False, server_hostname=host)
            line = cls(connection)
            line._shake_hands(deadline)
        except ssl.SSLCertVerificationError as error:
            connection.close()
            problem = _CERTIFICATE_PROBLEMS.get(error.verify_code, f"its certificate isn't valid ({error.verify_code})")
            raise DeliveryError(f"the peer can't be trusted: {problem}") from None
        except TimeoutError:
            connection.close()
            raise
        except OSError:
            connection.close()
            raise DeliveryError("the peer and we agree on no TLS") from None
        except BaseException:
            connection.close()
            raise
        return line

    def send(self, pieces: Sequence[Buffer], seconds: float) -> None:
        """Send pieces one after the other.

        Args:
            pieces: what to send.
            seconds: how long the peer may take nothing.

        Raises:
            TimeoutError: it took nothing for so long.
            OSError: the connection broke.
        """
        if self._tls is not None:
            self._send_joined(self._tls, pieces, seconds)
            return
        left = list(pieces)
        first = 0
        while first < len(left):
            try:
                sent = self._socket.sendmsg(left[first : first + _MAXIMUM_PIECES])
            except BlockingIOError:
                self._wait(self._writable, time.monotonic() + seconds)
                continue
            while first < len(left) and sent >= len(left[first]):
                sent -= len(left[first])
                first += 1
            if sent:
                left[first] = memoryview(left[first])[sent:]

    def read_pdu(self, deadline: float) -> tuple[int, memoryview]:
        """Read one PDU (PS3.8 section 9.3).

        Returns:
            Its type and the whole of it, with its header.

        Raises:
            TimeoutError: the deadline passed; a peer that drips bytes gets no more time than one that is silent.
            AssociationLost: the peer closed the connection.
            DeliveryError: the PDU is longer than any that is expected.
            OSError: the connection broke.
        """
        self._fill(_PDU_HEADER.size, deadline)
        kind, length = _PDU_HEADER.unpack_from(self._received)
        if length > _MAXIMUM_READ:
            raise DeliveryError("the peer's answer is malformed")
        end = _PDU_HEADER.size + length
        self._fill(end, deadline)
        pdu = bytes(memoryview(self._received)[:end])
        del self._received[:end]
        return kind, memoryview(pdu)

    def silent(self) -> bool:
        """Tell whether the peer has neither said nor closed anything since the last PDU."""
        if self._received:
            return False
        if not self._readable.poll(0):
            return True
        if self._tls is None:
            return False
        try:
            # TLS has messages of its own, such as tickets for a later session (RFC 8446 section 4.6.1).
            self._received += self._tls.recv(MAXIMUM_RECEIVED)
        except ssl.SSLWantReadError:
            return True
        except OSError:
            return False
        return False

    def interrupt(self) -> None:
        """Break the connection from another thread, so that whoever waits for it hears of it."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        with contextlib.suppress(OSError):
            self._socket.close()

    def _shake_hands(self, deadline: float) -> None:
        while self._tls is not None:
            try:
                self._tls.do_handshake()
                return
            except ssl.SSLWantReadError:
                self._wait(self._readable, deadline)
            except ssl.SSLWantWriteError:
                self._wait(self._writable, deadline)

    def _send_joined(self, tls: ssl.SSLSocket, pieces: Sequence[Buffer], seconds: float) -> None:
        joined = bytearray()
        for piece in pieces:
            for start in range(0, len(piece), _JOINED):
                joined += piece[start : start + _JOINED]
                if len(joined) >= _JOINED:
                    self._send_record(tls, joined, seconds)
                    joined = bytearray()
        self._send_record(tls, joined, seconds)

    def _send_record(self, tls: ssl.SSLSocket, data: bytearray, seconds: float) -> None:
        left = memoryview(data)
        while left:
            try:
                left = left[tls.send(left) :]
            except ssl.SSLWantReadError:
                self._wait(self._readable, time.monotonic() + seconds)
            except ssl.SSLWantWriteError:
                self._wait(self._writable, time.monotonic() + seconds)

    def _fill(self, count: int, deadline: float) -> None:
        """Receive until there are so many bytes."""
        while len(self._received) < count:
            try:
                if self._tls is None and not self._received:
                    # Nothing can be there yet: the peer has just got what it is to answer.
                    self._wait(self._readable, deadline)
                if _QUICKACK is not None:
                    # The kernel forgets it after a while.
                    self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)
                received = self._socket.recv(MAXIMUM_RECEIVED)
            except (BlockingIOError, ssl.SSLWantReadError):
                self._wait(self._readable, deadline)
                continue
            except ssl.SSLWantWriteError:
                self._wait(self._writable, deadline)
                continue
            if not received:
                raise AssociationLost("the peer closed the connection")
            self._received += received

    def _wait(self, event: select.poll, deadline: float) -> None:
        remaining = deadline - time.monotonic()
        if remaining <= 0 or not event.poll(remaining * 1000):
            raise TimeoutError
