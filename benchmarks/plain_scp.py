"""A storage SCP that does nothing but receive and keep, from dcmtk's storescu: the floor that `receive.py` shows.

usage: python -m benchmarks.plain_scp PORT FOLDER files|laid-out

`files` makes a file for each instance, as the spool does, and brings it and its name to the disk. `laid-out` writes
instances one over the other into a file that has its place on the disk already, past the system's cache, and makes only
their names: what a spool could be that laid out its space beforehand. Nobody could deliver them from there.
"""

import mmap
import os
import queue
import socket
import struct
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

from karnak.gateway.receive.associate import accept, read_request
from karnak.gateway.receive.commands import Status, answer_to, parse_command
from karnak.gateway.receive.offer import is_service, takes
from karnak.gateway.receive.pdu import RELEASE_RP, PduKind, p_data

_MAXIMUM_PDU = 1 << 17
_ROOM = 1 << 20
_BLOCK = 4096
_LAID_OUT = 16
_ASSOCIATIONS = 8
# PDU type and length; item length, presentation context ID and message control header of a P-DATA-TF PDU.
_HEADER, _PDV = struct.Struct(">BxL"), struct.Struct(">LBB")
_COMMAND, _LAST = 1, 2
# Told the name of an instance, and room whose first bytes, so many, are its data set.
Keep: TypeAlias = Callable[[str, mmap.mmap, int], None]


def files(folder: Path) -> Keep:
    """Keep instances in files, each brought to the disk with its name.

    Args:
        folder: where.
    """
    names = os.open(folder, os.O_RDONLY)

    def keep(name: str, room: mmap.mmap, size: int) -> None:
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, memoryview(room)[:size])
        os.fdatasync(descriptor)
        os.close(descriptor)
        os.fsync(names)

    return keep


def laid_out(folder: Path, number: int) -> Keep:
    """Keep instances in one file that is there before, some beside each other and then one over the other.

    Args:
        folder: where their names are made; the file lies beside it.
        number: of the file.
    """
    space = folder.with_suffix(f".{number}")
    with space.open("wb") as made:
        made.write(bytes(_LAID_OUT * _ROOM))
        os.fsync(made.fileno())
    try:
        descriptor = os.open(space, os.O_WRONLY | os.O_DIRECT)
    except OSError:
        # Memory's file system knows no way past the cache before Linux 6.6.
        descriptor = os.open(space, os.O_WRONLY)
    turn = 0

    def keep(name: str, room: mmap.mmap, size: int) -> None:
        nonlocal turn
        os.pwrite(descriptor, memoryview(room)[: -(-size // _BLOCK) * _BLOCK], turn % _LAID_OUT * _ROOM)
        os.fdatasync(descriptor)
        turn += 1
        (folder / name).touch()

    return keep


def serve(peer: socket.socket, keep: Keep) -> None:
    """Serve one association.

    Args:
        peer: its connection.
        keep: what to do with instances.
    """
    room = mmap.mmap(-1, _ROOM)
    view = memoryview(room)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    command, size = bytearray(), 0
    while True:
        kind, length = _HEADER.unpack(_exactly(peer, _HEADER.size))
        if kind == PduKind.ASSOCIATE_RQ:
            request = read_request(_HEADER.pack(kind, length) + _exactly(peer, length))
            peer.sendall(accept(request, is_service, takes, _MAXIMUM_PDU).pdu)
        elif kind == PduKind.RELEASE_RQ:
            peer.sendall(RELEASE_RP)
            return
        elif kind != PduKind.P_DATA:
            raise RuntimeError(f"a PDU of type {kind}")
        else:
            # dcmtk puts one fragment into a PDU.
            _, context_id, control = _PDV.unpack(_exactly(peer, _PDV.size))
            if control & _COMMAND:
                command += _exactly(peer, length - _PDV.size)
                continue
            end = size + length - _PDV.size
            while size < end:
                count = peer.recv_into(view[size:end])
                if not count:
                    raise EOFError
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
                size += count
            if control & _LAST:
                asked = parse_command(command)
                keep(asked.sop_instance_uid, room, size)
                for pdu in p_data(context_id, True, answer_to(asked, Status.SUCCESS), _MAXIMUM_PDU):
                    peer.sendall(pdu)
                command, size = bytearray(), 0


def _exactly(peer: socket.socket, count: int) -> bytes:
    found = peer.recv(count, socket.MSG_WAITALL)
    if len(found) != count:
        raise EOFError
    return found


def main(port: int, folder: Path, way: str) -> None:
    """Serve until killed.

    Args:
        port: TCP port.
        folder: where instances go.
        way: `files` or `laid-out`.
    """
    keepers: queue.SimpleQueue[Keep] = queue.SimpleQueue()
    for number in range(_ASSOCIATIONS):
        keepers.put(laid_out(folder, number) if way == "laid-out" else files(folder))

    def run(peer: socket.socket) -> None:
        keep = keepers.get()
        # Who only looks whether somebody listens says nothing.
        with suppress(EOFError), peer:
            serve(peer, keep)
        keepers.put(keep)

    with socket.create_server(("127.0.0.1", port)) as listening:
        while True:
            peer, _ = listening.accept()
            threading.Thread(target=run, args=(peer,), daemon=True).start()


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3])
