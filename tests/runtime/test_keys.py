"""Everything derived from a secret: stable, spread over its range, and nothing without the secret (section 6)."""

import hashlib
import hmac
import re

import pytest

from karnak.runtime.keys import Project, SecretError, parse_secret

SECRET = bytes.fromhex("0123456789abcdef0123456789abcdef")
PROJECT = Project("TRIAL-1", SECRET)


def test_h_is_hmac_sha256_of_utf8() -> None:
    assert PROJECT.hash("J\u00f6rg") == hmac.new(SECRET, "J\u00f6rg".encode(), hashlib.sha256).digest()


def test_a_uid_is_a_version_4_uuid_in_decimal() -> None:
    uid = PROJECT.uid("1.2.3")
    number = int(uid.removeprefix("2.25."))
    octets = number.to_bytes(16)
    expected = PROJECT.hash("1.2.3")[:16]
    assert octets[6] >> 4 == 4
    assert octets[8] >> 6 == 2
    assert octets[:6] + octets[7:8] + octets[9:] == expected[:6] + expected[7:8] + expected[9:]
    assert octets[6] & 0x0F == expected[6] & 0x0F
    assert octets[8] & 0x3F == expected[8] & 0x3F
    assert len(uid) <= 64


@pytest.mark.parametrize("text", ["PAT-1", "", "x" * 1000, "\u00e9"])
def test_scale_is_the_first_six_bytes_as_a_fraction(text: str) -> None:
    fraction = int.from_bytes(PROJECT.hash(text)[:6]) / 2**48
    assert PROJECT.scale(text, 10, 40) == int(fraction * 30) + 10


def test_the_upper_bound_of_scale_is_exclusive() -> None:
    amounts = {PROJECT.scale(str(number), 5, 8) for number in range(200)}
    assert amounts == {5, 6, 7}


def test_a_range_of_one_number_gives_that_number() -> None:
    assert {PROJECT.scale(str(number), 3, 4) for number in range(50)} == {3}


def test_a_patient_id_is_upper_case_hexadecimal_without_leading_zeros() -> None:
    made = [PROJECT.patient_id(str(number)) for number in range(400)]
    assert all(re.fullmatch("[1-9A-F][0-9A-F]{0,31}", text) for text in made)
    assert int(made[7], 16) == int.from_bytes(PROJECT.hash("7")[:16])
    # Among 400 there is one whose first digit was a zero, or the test shows nothing.
    assert any(len(text) < 32 for text in made)


def test_another_secret_gives_other_values() -> None:
    other = Project("TRIAL-1", bytes(16))
    assert other.uid("1.2.3") != PROJECT.uid("1.2.3")
    assert other.patient_id("P") != PROJECT.patient_id("P")
    assert other.pseudonym("P", None) != PROJECT.pseudonym("P", None)


def test_the_projects_name_changes_nothing_but_the_name() -> None:
    assert Project("OTHER", SECRET).uid("1.2.3") == PROJECT.uid("1.2.3")


def test_a_generated_pseudonym_can_be_read_aloud() -> None:
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{4}-){2}[0-9A-HJKMNP-TV-Z]{4}", PROJECT.pseudonym("PAT-1", "HOSP"))


@pytest.mark.parametrize(
    ("one", "other"), [(("1", "23"), ("12", "3")), (("1", None), ("1", "x")), (("1:2", ""), ("1", "2:"))]
)
def test_pseudonyms_keep_patients_of_different_issuers_apart(
    one: tuple[str, str | None], other: tuple[str, str | None]
) -> None:
    assert PROJECT.pseudonym(*one) != PROJECT.pseudonym(*other)


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_a_secret_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(SecretError, match=f"has {length} bytes"):
        Project("T", bytes(length))


def test_a_project_never_shows_its_secret() -> None:
    shown = repr(PROJECT) + str(PROJECT)
    assert "TRIAL-1" in shown
    assert not any(part in shown for part in (SECRET.hex(), repr(SECRET), "cdef"))


@pytest.mark.parametrize(
    "text",
    [
        SECRET.hex(),
        SECRET.hex().upper(),
        f" {SECRET.hex()}\n",
        "01234567-89ab-cdef-0123-456789abcdef",
        " ".join(re.findall("....", SECRET.hex())),
    ],
)
def test_secrets_are_read_as_people_write_them(text: str) -> None:
    assert parse_secret(text) == SECRET


@pytest.mark.parametrize("text", ["", "0123", SECRET.hex() + "00", "g" * 32, SECRET.hex()[:-1]])
def test_a_wrong_secret_is_not_repeated(text: str) -> None:
    with pytest.raises(SecretError) as caught:
        parse_secret(text)
    assert not text or text not in str(caught.value)
