"""Character repertoires: every defined term of PS3.3 C.12.1.1.2 reads and writes, and what it lacks is refused."""

import pytest

from karnak.runtime.repertoire import Repertoire, TextError
from karnak.testing.character_sets import ALL, CODE_EXTENSIONS, DEFAULT, SINGLE_BYTE, STAND_ALONE, CharacterSet

every_set = pytest.mark.parametrize("character_set", ALL, ids=lambda found: "+".join(found.terms) or "default")


def test_every_defined_term_has_a_text() -> None:
    single = {"ISO_IR " + number for number in "100 101 109 110 144 127 126 138 148 203 13 166".split()}
    extended = {"ISO 2022 IR " + n for n in "6 13 58 87 100 101 109 110 126 127 138 144 148 149 159 166 203".split()}
    assert {found.terms[0] for found in SINGLE_BYTE} == single
    assert {term for found in CODE_EXTENSIONS for term in found.terms if term} == extended
    assert {found.terms[0] for found in STAND_ALONE} == {"ISO_IR 192", "GB18030", "GBK"}


@every_set
def test_text_is_read(character_set: CharacterSet) -> None:
    assert Repertoire(character_set.terms).decode(character_set.encoded, "PN") == character_set.text


@every_set
def test_text_is_written_as_the_standard_writes_it(character_set: CharacterSet) -> None:
    assert Repertoire(character_set.terms).encode(character_set.text, "PN") == character_set.encoded


@every_set
@pytest.mark.parametrize("vr", ["LO", "LT", "PN", "SH", "ST", "UC", "UT"])
def test_what_is_written_is_read_again(character_set: CharacterSet, vr: str) -> None:
    repertoire = Repertoire(character_set.terms)
    text = f"{character_set.text}\\{character_set.text} (1)"
    assert repertoire.decode(repertoire.encode(text, vr), vr) == text


@every_set
def test_a_character_that_a_set_lacks_is_refused_and_never_becomes_a_question_mark(character_set: CharacterSet) -> None:
    repertoire = Repertoire(character_set.terms)
    with pytest.raises(TextError) as caught:
        repertoire.encode(f"A{character_set.foreign}", "LO")
    assert character_set.foreign not in str(caught.value)


@pytest.mark.parametrize(
    ("terms", "value"),
    [
        (("ISO_IR 192",), b"\xff\xfe"),
        (("ISO_IR 192",), b"\xed\xa0\x80"),
        (("GB18030",), b"\x81"),
        (("ISO_IR 127",), b"\xa1"),
        (("ISO_IR 166",), b"\xff"),
        (("ISO_IR 13",), b"\x81\x40"),
        (("ISO 2022 IR 6", "ISO 2022 IR 149"), b"\x1b$)C\xb0"),
        (("ISO 2022 IR 6", "ISO 2022 IR 149"), b"\x1b$)C\xb0\x41"),
        (("ISO 2022 IR 6", "ISO 2022 IR 87"), b"\x1b$B\x7e\x7e\x1b(B"),
        ((), b"\x1b$B;3ED\x1b(B"),
        (("ISO 2022 IR 100",), b"\x1b-F\xc4"),
        (("ISO_IR 100",), b"a\x1b"),
        (("ISO_IR 100",), b"\x1bZ"),
    ],
)
def test_bytes_that_a_set_does_not_have_are_refused(terms: tuple[str, ...], value: bytes) -> None:
    with pytest.raises(TextError):
        Repertoire(terms).decode(value, "LO")


def test_in_other_vrs_than_pn_a_caret_ends_nothing() -> None:
    greek = Repertoire(("ISO 2022 IR 6", "ISO 2022 IR 126"))
    assert greek.decode(b"\x1b-F\xc4^\xe9=\xef", "LO") == "\u0394^\u03b9=\u03bf"
    assert greek.decode(b"\x1b-F\xc4^\x1b-F\xe9", "PN") == "\u0394^\u03b9"


@pytest.mark.parametrize("delimiter", ["\\", "\r", "\n", "\f", "\t"])
def test_controls_and_the_separator_of_values_bring_back_the_first_set(delimiter: str) -> None:
    mixed = Repertoire(("ISO 2022 IR 100", "ISO 2022 IR 126"))
    value = b"\x1b-F\xc4" + delimiter.encode() + b"\xe9"
    assert mixed.decode(value, "LO") == f"\u0394{delimiter}\u00e9"


def test_a_backslash_separates_nothing_in_long_texts() -> None:
    mixed = Repertoire(("ISO 2022 IR 100", "ISO 2022 IR 126"))
    assert mixed.decode(b"\x1b-F\xc4\\\xe9", "LT") == "\u0394\\\u03b9"


def test_a_switch_of_the_lower_half_leaves_the_upper_half_alone() -> None:
    cyrillic = Repertoire(("ISO 2022 IR 144", "ISO 2022 IR 87"))
    assert cyrillic.decode(b"\xbb\x1b$B;3\x1b(B\xee", "LO") == "\u041b\u5c71\u044e"


def test_a_caret_can_be_half_of_a_kanji() -> None:
    # 0x5E is a byte of many codes of JIS X 0208: it delimits nothing while they are active.
    assert Repertoire(("", "ISO 2022 IR 87")).decode(b"\x1b$B>^\x1b(B", "PN") == b"\xbe\xde".decode("euc_jp")


def test_single_byte_katakana_have_no_tilde() -> None:
    with pytest.raises(TextError):
        Repertoire(("ISO_IR 13",)).encode("~", "LO")
    assert Repertoire(("ISO 2022 IR 13", "ISO 2022 IR 6")).encode("~", "LO") == b"\x1b(B~\x1b(J"


def test_an_escape_character_is_never_written() -> None:
    for terms in ((), ("ISO_IR 192",), ("", "ISO 2022 IR 87")):
        with pytest.raises(TextError):
            Repertoire(terms).encode("a\x1b(J", "LO")


@pytest.mark.parametrize("terms", [("ISO_IR 999",), ("LATIN1",), ("ISO 2022 IR 100", "KLINGON"), ("DOE^JANE",)])
def test_a_set_that_nobody_knows_holds_ascii_and_is_not_repeated(terms: tuple[str, ...]) -> None:
    unknown = Repertoire(terms)
    assert unknown.decode(b"DOE", "PN") == "DOE"
    assert unknown.encode("UNKNOWN", "LO") == b"UNKNOWN"
    for attempt in (lambda: unknown.decode(b"\xe9", "PN"), lambda: unknown.encode("\u00e9", "PN")):
        with pytest.raises(TextError) as caught:
            attempt()
        assert not any(term in str(caught.value) for term in terms)


def test_without_a_set_latin_1_is_read_and_ascii_is_written() -> None:
    assert Repertoire().decode(b"J\xe9r\xf4me", "PN") == "J\u00e9r\u00f4me"
    assert Repertoire().encode("DOE^JANE", "PN") == DEFAULT.encoded
    with pytest.raises(TextError):
        Repertoire().encode("J\u00e9r\u00f4me", "PN")


def test_code_extensions_need_no_first_value_of_single_bytes() -> None:
    assert Repertoire(("ISO 2022 IR 87",)).decode(b"\x1b$B;3ED\x1b(B", "LO") == "\u5c71\u7530"
