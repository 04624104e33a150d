"""A multipart/related body taken apart as it streams by: begin, pieces and end of each part.

python-multipart finds the delimiters. What it leaves to its caller is done here: a preamble is passed over,
a body that lacks its closing delimiter is refused, and of the headers only those are kept that are asked for.
Source: RFC 2046 section 5.1, RFC 2387, PS3.18 section 8.6.
"""

from collections.abc import Mapping
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from karnak.errors import KarnakError

_MAXIMUM_BOUNDARY = 70
_MAXIMUM_PREAMBLE = 16 << 10
_MAXIMUM_HEADERS = 16
_MAXIMUM_HEADER = 4 << 10


class BadMultipart(KarnakError):
    """The body is no multipart body as its Content-Type says; the message holds nothing of it."""


class Parts(Protocol):
    """Who takes the parts; any exception of these ends the parsing."""

    def begin(self, headers: Mapping[str, str]) -> None:
        """A part begins; its headers by their names in lower case."""

    def data(self, piece: memoryview) -> None:
        """The next bytes of the part; valid during the call."""

    def end(self) -> None:
        """The part is whole."""


def media_type(content_type: str) -> tuple[str, Mapping[str, str]]:
    """Split a Content-Type into its type, in lower case, and its parameters."""
    kind, parameters = parse_options_header(content_type)
    return kind.decode("latin-1").strip().lower(), {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in parameters.items()
    }


class MultipartReader:
    """Takes the pieces of one body.

    Args:
        boundary: as the Content-Type gives it.
        parts: who takes the parts.

    Raises:
        BadMultipart: this can't be a boundary.
    """

    def __init__(self, boundary: str, parts: Parts) -> None:
        if not 0 < len(boundary) <= _MAXIMUM_BOUNDARY or not boundary.isascii() or not boundary.isprintable():
            raise BadMultipart("the boundary has 1 to 70 printable ASCII characters")
        self._delimiter = b"--" + boundary.encode("ascii")
        self._parts = parts
        self._preamble: bytearray | None = bytearray(b"\r\n")
        self._headers: dict[str, str] = {}
        self._name, self._value = bytearray(), bytearray()
        self._ended = False
        self._parser = MultipartParser(
            boundary.encode("ascii"),
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._on_name,
                "on_header_value": self._on_value,
                "on_header_end": self._on_header,
                "on_headers_finished": self._on_headers,
                "on_part_data": self._on_data,
                "on_part_end": parts.end,
                "on_end": self._on_end,
            },
            max_header_count=_MAXIMUM_HEADERS,
            max_header_size=_MAXIMUM_HEADER,
        )

    def feed(self, piece: bytes) -> None:
        """Take the next piece of the body.

        Raises:
            BadMultipart: it is malformed.
        """
        if self._preamble is not None:
            piece = self._after_preamble(piece)
        if not piece:
            return
        try:
            self._parser.write(piece)
        except FormParserError:
            raise BadMultipart("the multipart body is malformed") from None

    def finish(self) -> None:
        """Say that the body is whole.

        Raises:
            BadMultipart: its closing delimiter is missing.
        """
        if not self._ended:
            raise BadMultipart("the multipart body ends before its closing delimiter")

    def _after_preamble(self, piece: bytes) -> bytes:
        """Pass over what stands before the first delimiter, which begins a line."""
        assert self._preamble is not None
        self._preamble += piece
        start = self._preamble.find(b"\r\n" + self._delimiter)
        if max(start, len(self._preamble) if start < 0 else 0) > _MAXIMUM_PREAMBLE:
            raise BadMultipart("the multipart body does not begin with its boundary")
        if start < 0:
            return b""
        rest = bytes(self._preamble[start + 2 :])
        self._preamble = None
        return rest

    def _on_name(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header(self) -> None:
        self._headers[self._name.decode("latin-1").lower()] = self._value.decode("latin-1").strip()
        self._name.clear()
        self._value.clear()

    def _on_headers(self) -> None:
        self._parts.begin(dict(self._headers))

    def _on_data(self, data: bytes, start: int, end: int) -> None:
        self._parts.data(memoryview(data)[start:end])

    def _on_end(self) -> None:
        self._ended = True
