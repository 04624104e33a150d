"""The body of a STOW-RS request: multipart/related with one part per instance, made while it is sent.

Source: PS3.18 sections 8.6.1.2 and 10.5.1, RFC 2387, RFC 2046 section 5.1.
"""

from collections.abc import Iterator, Sequence

from karnak.gateway.deliver.parcel import Parcel

_PART = b"\r\nContent-Type: application/dicom\r\n\r\n"
# Bytes that are handed to the HTTP client at once: enough for few system calls, little enough to be copied.
_PIECE = 1 << 17


class Related:
    """The body of one request; it can be read several times.

    Args:
        parcels: what to send.
        boundary: what separates the parts, up to 70 letters and digits that occur in none of them; 128 random bits do.
    """

    def __init__(self, parcels: Sequence[Parcel], boundary: str) -> None:
        self._parts = [parcel.file() for parcel in parcels]
        self._boundary = boundary.encode("ascii")
        self.content_type = f'multipart/related; type="application/dicom"; boundary={boundary}'

    @property
    def size(self) -> int:
        """How many bytes the body has."""
        around = (len(self._boundary) + 4 + len(_PART)) * len(self._parts) + len(self._boundary) + 8
        # The first delimiter has no line break before it.
        return around - 2 + sum(len(piece) for part in self._parts for piece in part)

    def __iter__(self) -> Iterator[bytes]:
        joined = bytearray()
        before = b"--" + self._boundary
        for part in self._parts:
            joined += before + _PART
            before = b"\r\n--" + self._boundary
            for piece in part:
                for start in range(0, len(piece), _PIECE):
                    joined += piece[start : start + _PIECE]
                    if len(joined) >= _PIECE:
                        yield bytes(joined)
                        joined.clear()
        yield bytes(joined + before + b"--\r\n")
