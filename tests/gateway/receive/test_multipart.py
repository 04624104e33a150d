"""A multipart body gives the same parts however it is split, and a malformed one is refused."""

from collections.abc import Mapping

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from karnak.gateway.receive.multipart import BadMultipart, MultipartReader, media_type

Part = tuple[Mapping[str, str], bytes]


class Collected:
    """Parts as they came."""

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.open: tuple[Mapping[str, str], bytearray] | None = None

    def begin(self, headers: Mapping[str, str]) -> None:
        assert self.open is None
        self.open = (headers, bytearray())

    def data(self, piece: memoryview) -> None:
        assert self.open is not None
        assert piece
        self.open[1].extend(piece)

    def end(self) -> None:
        assert self.open is not None
        self.parts.append((self.open[0], bytes(self.open[1])))
        self.open = None


def read(body: bytes, sizes: list[int], boundary: str = "B") -> list[Part]:
    collected = Collected()
    reader = MultipartReader(boundary, collected)
    for size in [*sizes, len(body)]:
        reader.feed(body[:size])
        body = body[size:]
    reader.finish()
    return collected.parts


def write(parts: list[bytes], boundary: str = "B", preamble: bytes = b"", epilogue: bytes = b"") -> bytes:
    delimiter = b"--" + boundary.encode()
    body = b"".join(
        delimiter + b"\r\nContent-Type: application/dicom\r\nX-Other:  a: b \r\n\r\n" + part + b"\r\n" for part in parts
    )
    return preamble + body + delimiter + b"--" + epilogue


HEADERS = {"content-type": "application/dicom", "x-other": "a: b"}
# Bytes of which delimiters are made, so that near misses are common.
near = st.lists(st.sampled_from([b"\r", b"\n", b"-", b"--", b"\r\n", b"\r\n-", b"\r\n--", b"\r\n--C", b"B", b"x"]))
content = st.binary(max_size=60) | near.map(b"".join)


def harmless(part: bytes) -> bool:
    """RFC 2046 forbids a part that holds its delimiter, also where it would be only the beginning of a line."""
    return b"\r\n--B" not in b"\r\n" + part


@given(st.lists(content.filter(harmless), min_size=1, max_size=4), st.lists(st.integers(0, 30), max_size=30))
@example([b"\r\n--", b"\r\n-\r\n--"], [1] * 200)
@example([b""], [1] * 200)
def test_splits_make_no_difference(parts: list[bytes], sizes: list[int]) -> None:
    assert read(write(parts), sizes) == [(HEADERS, part) for part in parts]


@given(st.lists(st.binary(max_size=300).filter(harmless), min_size=1, max_size=3))
def test_every_byte_may_come_alone(parts: list[bytes]) -> None:
    body = write(parts)
    assert read(body, [1] * len(body)) == [(HEADERS, part) for part in parts]


@pytest.mark.parametrize(
    "preamble", [b"\r\n", b"for people\r\n", b"--A\r\n--\r\n", b"x" * 16_000 + b"\r\n", b"\r\n\r\n"]
)
@pytest.mark.parametrize("epilogue", [b"", b"\r\n", b"\r\nfor people", b"\r\n--B\r\n\r\nmore"])
def test_preamble_and_epilogue_are_passed_over(preamble: bytes, epilogue: bytes) -> None:
    for sizes in ([], [1] * 20_000, [5, 15_990]):
        assert read(write([b"a", b"b"], preamble=preamble, epilogue=epilogue), sizes) == [
            (HEADERS, b"a"),
            (HEADERS, b"b"),
        ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--B",
        b"--B\r\n",
        b"--B\r\n\r\n",
        b"--B\r\n\r\nabc",
        b"--B\r\n\r\nabc\r\n--B",
        b"--B\r\n\r\nabc\r\n--B-",
        b"--B\r\n\r\nabc\r\n--B\r\n",
        b"--B\r\n\r\nabc--B--",
        b"--C\r\n\r\nabc\r\n--C--",
        b"--Bx\r\n\r\nabc\r\n--B--",
        b"--B\r\nno colon\r\n\r\nabc\r\n--B--",
        b"--B\r\n: no name\r\n\r\nabc\r\n--B--",
        b"--B\r\na b: c\r\n\r\nabc\r\n--B--",
        b"--B\r\nA: b\n\r\nabc\r\n--B--",
        b"--B\r\nA: b\rC: d\r\n\r\nabc\r\n--B--",
        b"--B\r\nA: " + b"b" * 5000 + b"\r\n\r\nabc\r\n--B--",
        b"--B\r\n" + b"A: b\r\n" * 17 + b"\r\nabc\r\n--B--",
        b"x" * 17_000 + b"\r\n--B\r\n\r\nabc\r\n--B--",
        b"\x89PNG" * 10_000,
    ],
)
def test_what_is_malformed_or_cut_short_is_refused(body: bytes) -> None:
    for sizes in ([], [1] * len(body), [7] * 3000):
        with pytest.raises(BadMultipart):
            read(body, sizes)


@pytest.mark.parametrize("body", [b"--B--", b"--B--\r\n", b"abc--B\r\n\r\nabc\r\n--B--"])
def test_a_body_may_have_no_part(body: bytes) -> None:
    assert read(body, []) == read(body, [1] * len(body)) == []


@given(st.integers(0, len(write([b"abc", b"def"])) - 1))
def test_no_body_without_its_end_is_whole(size: int) -> None:
    with pytest.raises(BadMultipart, match="ends before its closing delimiter"):
        read(write([b"abc", b"def"])[:size], [3])


@given(st.binary(max_size=200))
def test_anything_is_taken_apart_or_refused(body: bytes) -> None:
    for data in (body, b"--B\r\n" + body, b"--B\r\n\r\n" + body + b"\r\n--B--"):
        try:
            parts = read(data, [])
        except BadMultipart:
            with pytest.raises(BadMultipart):
                read(data, [1] * len(data))
        else:
            assert read(data, [1] * len(data)) == parts


@pytest.mark.parametrize("boundary", ["", "x" * 71, "a\r\nb", "ä", "a\0"])
def test_what_can_not_be_a_boundary_is_refused(boundary: str) -> None:
    with pytest.raises(BadMultipart, match="boundary"):
        MultipartReader(boundary, Collected())


@pytest.mark.parametrize("boundary", ["x", "x" * 70, "a b", "'()+_,-./:=?", "0f3cf5c0-70e0-41ef-baef-c6f9f65ec3e1"])
def test_every_boundary_of_the_standard_is_taken(boundary: str) -> None:
    assert read(write([b"abc"], boundary), [1] * 500, boundary) == [(HEADERS, b"abc")]


@pytest.mark.parametrize(
    ("text", "kind", "parameters"),
    [
        ("", "", {}),
        ("Application/DICOM", "application/dicom", {}),
        (
            'multipart/related; type="application/dicom"; boundary="a;b c"',
            "multipart/related",
            {"type": "application/dicom", "boundary": "a;b c"},
        ),
        ("Multipart/Related ;Boundary=AbC;TYPE=x/y", "multipart/related", {"boundary": "AbC", "type": "x/y"}),
    ],
)
def test_a_content_type_is_split(text: str, kind: str, parameters: Mapping[str, str]) -> None:
    assert media_type(text) == (kind, parameters)
