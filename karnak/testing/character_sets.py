"""Character sets of DICOM with a text that only they can hold, encoded by hand from the code tables.

Source: PS3.3 C.12.1.1.2 (defined terms), PS3.5 annexes H to K (Japanese, Korean, Chinese examples),
ISO 8859-1 to -9 and -15, TIS 620, JIS X 0201.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CharacterSet:
    """A value of SpecificCharacterSet (0008,0005) with a person's name in it.

    Attributes:
        terms: its values.
        text: a name with characters beyond ASCII; plain for the default repertoire.
        encoded: the same, encoded.
        foreign: a text that it cannot write.
    """

    terms: tuple[str, ...]
    text: str
    encoded: bytes
    foreign: str = "\N{SNOWMAN}"

    @property
    def value(self) -> bytes:
        """The encoded value of SpecificCharacterSet."""
        joined = "\\".join(self.terms).encode("ascii")
        return joined + b" " * (len(joined) % 2)


DEFAULT = CharacterSet((), "DOE^JANE", b"DOE^JANE", "Buc^J\u00e9r\u00f4me")

SINGLE_BYTE = (
    CharacterSet(("ISO_IR 100",), "Buc^J\u00e9r\u00f4me", b"Buc^J\xe9r\xf4me"),
    CharacterSet(("ISO_IR 101",), "Dvo\u0159\u00e1k", b"Dvo\xf8\xe1k"),
    CharacterSet(("ISO_IR 109",), "\u0108apek\u0126al", b"\xc6apek\xa1al"),
    CharacterSet(("ISO_IR 110",), "B\u0113rzi\u0146\u0161", b"B\xbarzi\xf1\xb9"),
    CharacterSet(("ISO_IR 144",), "\u041b\u044e\u043ace\u043c\u0431yp\u0433", b"\xbb\xee\xdace\xdc\xd1yp\xd3"),
    CharacterSet(("ISO_IR 127",), "\u0642\u0628\u0627\u0646\u064a", b"\xe2\xc8\xc7\xe6\xea"),
    CharacterSet(("ISO_IR 126",), "\u0394\u03b9\u03bf\u03bd\u03c5\u03c3\u03b9\u03bf\u03c2",
                 b"\xc4\xe9\xef\xed\xf5\xf3\xe9\xef\xf2"),
    CharacterSet(("ISO_IR 138",), "\u05e9\u05e8\u05d5\u05df", b"\xf9\xf8\xe5\xef"),
    CharacterSet(("ISO_IR 148",), "\u00c7a\u011fr\u0131", b"\xc7a\xf0r\xfd"),
    CharacterSet(("ISO_IR 203",), "B\u0153uf^\u20ac", b"B\xbduf^\xa4"),
    CharacterSet(("ISO_IR 166",), "\u0e2a\u0e21\u0e0a\u0e32\u0e22", b"\xca\xc1\xaa\xd2\xc2"),
    CharacterSet(("ISO_IR 13",), "\uff94\uff8f\uff80\uff9e^\uff80\uff9b\uff73", b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3"),
)  # fmt: skip

CODE_EXTENSIONS = (
    CharacterSet(
        ("", "ISO 2022 IR 87"),
        "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046",
        b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B",
    ),
    CharacterSet(
        ("ISO 2022 IR 13", "ISO 2022 IR 87"),
        "\uff94\uff8f\uff80\uff9e^\uff80\uff9b\uff73=\u5c71\u7530^\u592a\u90ce=\u3084\u307e\u3060^\u305f\u308d\u3046",
        b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J",
    ),
    CharacterSet(("", "ISO 2022 IR 159"), "\u4e02^A", b"\x1b$(D\x30\x21\x1b(B^A"),
    CharacterSet(
        ("", "ISO 2022 IR 149"),
        "Hong^Gildong=\u6d2a^\u5409\u6d1e=\ud64d^\uae38\ub3d9",
        b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf",
    ),
    CharacterSet(
        ("", "ISO 2022 IR 58"),
        "Zhang^XiaoDong=\u5f20^\u5c0f\u4e1c=",
        b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
    ),
    CharacterSet(
        ("ISO 2022 IR 100", "ISO 2022 IR 144"),
        "Buc^J\u00e9r\u00f4me=\u041b\u044e\u043a",
        b"Buc^J\xe9r\xf4me=\x1b-L\xbb\xee\xda",
    ),
    CharacterSet(("ISO 2022 IR 6", "ISO 2022 IR 126"), "Dion=\u0394\u03b9\u03bf\u03bd", b"Dion=\x1b-F\xc4\xe9\xef\xed"),
    CharacterSet(("ISO 2022 IR 6", "ISO 2022 IR 203"), "B=\u0153\u20ac", b"B=\x1b-b\xbd\xa4"),
    CharacterSet(("ISO 2022 IR 6", "ISO 2022 IR 166"), "S=\u0e2a\u0e21", b"S=\x1b-T\xca\xc1"),
    CharacterSet(("ISO 2022 IR 6", "ISO 2022 IR 101"), "D=\u0159\u00e1", b"D=\x1b-B\xf8\xe1"),
    CharacterSet(("ISO 2022 IR 6", "ISO 2022 IR 109"), "C=\u0108\u0126", b"C=\x1b-C\xc6\xa1"),
    CharacterSet(("ISO 2022 IR 6", "ISO 2022 IR 110"), "B=\u0113\u0146", b"B=\x1b-D\xba\xf1"),
    CharacterSet(("ISO 2022 IR 6", "ISO 2022 IR 127"), "Q=\u0642\u0628", b"Q=\x1b-G\xe2\xc8"),
    CharacterSet(("ISO 2022 IR 6", "ISO 2022 IR 138"), "S=\u05e9\u05e8", b"S=\x1b-H\xf9\xf8"),
    CharacterSet(("ISO 2022 IR 6", "ISO 2022 IR 148"), "C=\u011f\u0131", b"C=\x1b-M\xf0\xfd"),
)

STAND_ALONE = (
    CharacterSet(
        ("ISO_IR 192",),
        "Wang^XiaoDong=\u738b^\u5c0f\u6771=",
        b"Wang^XiaoDong=\xe7\x8e\x8b^\xe5\xb0\x8f\xe6\x9d\xb1=",
        foreign="\ud800",
    ),
    CharacterSet(
        ("GB18030",),
        "Wang^XiaoDong=\u738b^\u5c0f\u4e1c=",
        b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=",
        foreign="\ud800",
    ),
    # The second byte of the last character is that of a backslash.
    CharacterSet(("GBK",), "Wang^XiaoDong=\u738b^\u5c0f\u8aa0", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xd5\x5c"),
)

ALL = (DEFAULT, *SINGLE_BYTE, *CODE_EXTENSIONS, *STAND_ALONE)
