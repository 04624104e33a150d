"""Peers that do one thing each: accept and fall silent, reject, answer, die. Bytes over a socket, nothing else.

A peer's script is a function that gets the accepted connection; when it returns, the
connection is closed. `Peer.connections` counts how often it was called.
"""

import socket
import struct
import threading
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO

from pydicom import Dataset
from pydicom.uid import UID
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu import A_ASSOCIATE_AC, A_ASSOCIATE_RQ, A_RELEASE_RP
from pynetdicom.pdu_primitives import A_ASSOCIATE, A_RELEASE

from karnak.gateway.deliver.association import Peer as Address

Script = Callable[[socket.socket], None]
Message = tuple[Dataset, bytes, list[int]]

REJECT_CALLED_AE_TITLE = bytes.fromhex("03000000000400010107")
ABORT = bytes.fromhex("07000000000400000200")


class Peer:
    """A listening peer with a script for each connection; the last script serves all further ones."""

    def __init__(self, scripts: tuple[Script, ...]) -> None:
        self._scripts = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.connections = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def address(self, connect_timeout: float = 5.0, response_timeout: float = 5.0) -> Address:
        port = self._listener.getsockname()[1]
        return Address("PEER", "127.0.0.1", port, "KARNAK", connect_timeout, response_timeout)

    def close(self) -> None:
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                script = self._scripts[min(self.connections, len(self._scripts) - 1)]
                self.connections += 1
                threading.Thread(target=self._play, args=(script, connection), daemon=True).start()

    def _play(self, script: Script, connection: socket.socket) -> None:
        with suppress(OSError, EOFError), connection:
            script(connection)


@contextmanager
def peer(*scripts: Script) -> Iterator[Peer]:
    made = Peer(scripts)
    try:
        yield made
    finally:
        made.close()


def read_pdu(connection: socket.socket) -> tuple[int, bytes]:
    """Read one PDU: its type and all of it."""
    header = _read(connection, 6)
    kind, length = struct.unpack(">BxL", header)
    return kind, header + _read(connection, length)


def _read(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        received = connection.recv(count - len(data))
        if not received:
            raise EOFError
        data += received
    return data


def accept(
    connection: socket.socket, maximum_pdu: int = 16382, result: int = 0, *, only: Collection[str] = ()
) -> list[tuple[str, str]]:
    """Answer an association request: every context with the same result.

    Args:
        connection: to whom.
        maximum_pdu: what we take at most.
        result: 0 for acceptance.
        only: transfer syntaxes, where contexts with others are refused.

    Returns:
        SOP Class and transfer syntax of each context that was proposed.
    """
    request = A_ASSOCIATE_RQ()
    request.decode(read_pdu(connection)[1])
    asked = request.to_primitive()
    answer = A_ASSOCIATE()
    answer.application_context_name = UID("1.2.840.10008.3.1.1.1")
    answer.calling_ae_title, answer.called_ae_title = asked.calling_ae_title, asked.called_ae_title
    answer.result, answer.result_source = 0, 1
    contexts = asked.presentation_context_definition_list
    for context in contexts:
        context.result = result if not only or context.transfer_syntax[0] in only else 4
    answer.presentation_context_definition_results_list = contexts
    answer.user_information = asked.user_information
    answer.maximum_length_received = maximum_pdu
    connection.sendall(A_ASSOCIATE_AC(answer).encode())
    return [(str(context.abstract_syntax), str(context.transfer_syntax[0])) for context in contexts]


def read_message(connection: socket.socket) -> Message:
    """Read one DIMSE message.

    Returns:
        Its command set, its data set, and the lengths of the PDUs as their headers give them.
    """
    command, data, lengths = b"", b"", []
    while True:
        kind, pdu = read_pdu(connection)
        if kind == 5:
            connection.sendall(A_RELEASE_RP(_release()).encode())
            raise EOFError
        assert kind == 4
        lengths.append(len(pdu) - 6)
        control = pdu[11]
        assert struct.unpack(">L", pdu[6:10])[0] == len(pdu) - 10
        if control & 1:
            command += pdu[12:]
        else:
            data += pdu[12:]
            if control & 2:
                return decode(BytesIO(command), True, True), data, lengths


def _release() -> A_RELEASE:
    primitive = A_RELEASE()
    primitive.result = "affirmative"
    return primitive


def response(command: Dataset, status: int) -> bytes:
    """Make the P-DATA-TF PDU of a C-STORE response."""
    made = Dataset()
    made.CommandField = 0x8001
    made.MessageIDBeingRespondedTo = command.MessageID
    made.CommandDataSetType = 0x0101
    made.Status = status
    encoded = encode(made, True, True)
    assert encoded is not None
    encoded = struct.pack("<HHLL", 0, 0, 4, len(encoded)) + encoded
    return struct.pack(">BxLLBB", 4, len(encoded) + 6, len(encoded) + 2, 1, 3) + encoded


def serve(
    connection: socket.socket, *statuses: int, maximum_pdu: int = 16382
) -> list[tuple[Dataset, bytes, list[int]]]:
    """Accept an association and answer as many messages as there are statuses.

    Returns:
        The messages.
    """
    accept(connection, maximum_pdu)
    messages = []
    for status in statuses:
        messages.append(read_message(connection))
        connection.sendall(response(messages[-1][0], status))
    return messages


def answers(*statuses: int) -> Script:
    """A peer that takes an association, answers as many messages as there are statuses, and waits for the end."""

    def script(connection: socket.socket) -> None:
        serve(connection, *statuses)
        wait_for_end(connection)

    return script


def wait_for_end(connection: socket.socket) -> None:
    """Read and drop what comes until the other side ends the association; a release is answered."""
    while True:
        if read_pdu(connection)[0] == 5:
            connection.sendall(A_RELEASE_RP(_release()).encode())
