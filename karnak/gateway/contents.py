"""The contents of files: read or mapped on the way in, gathered from pieces on the way out.

What the engine keeps goes from the input to the output without a copy of the whole in between, and a file of many
gigabytes never takes memory of its own. Files are mapped only where they are too large to be read: when a mapped
file is cut short by others, or its medium fails, the system kills the process instead of raising an OSError.
"""

import io
import mmap
import os
from collections.abc import Sequence
from pathlib import Path

# Files up to this size in bytes are read.
READ_AT_MOST = 64 << 20
# How many pieces the system takes at once (IOV_MAX of Linux).
_PIECES_AT_ONCE = 1024


def contents(file: io.FileIO, *, read_at_most: int = READ_AT_MOST) -> bytes | memoryview:
    """All bytes of a file; a map lasts as long as somebody holds it or a slice of it.

    Args:
        file: an unbuffered file, positioned at its beginning.
        read_at_most: size in bytes above which the file is mapped.

    Raises:
        OSError: it cannot be read.
    """
    if os.fstat(file.fileno()).st_size <= read_at_most:
        return file.readall()
    return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def write_pieces(path: Path, pieces: Sequence[bytes | memoryview]) -> None:
    """Write a file from pieces, without joining them.

    Args:
        path: what to write; a file that exists is replaced.
        pieces: the contents in order.

    Raises:
        OSError: it cannot be written; what is there then is no whole file.
    """
    with io.FileIO(path, "w") as file:
        descriptor = file.fileno()
        left = [memoryview(piece) for piece in pieces if len(piece)]
        begin = 0
        while begin < len(left):
            # The system may take less than it is given: it never takes more than 2 GiB.
            taken = os.writev(descriptor, left[begin : begin + _PIECES_AT_ONCE])
            while begin < len(left) and taken >= len(left[begin]):
                taken -= len(left[begin])
                begin += 1
            if taken:
                left[begin] = left[begin][taken:]
