"""Identifiers of patients in the ledger can be read with the key, and by nobody else."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from karnak.gateway.patient_cipher import Patient, PatientCipher, WrongKey
from karnak.runtime.part10 import read_instance
from tests.gateway.instances import SECONDARY_CAPTURE, file_bytes

KEY = bytes(range(32))
texts = st.none() | st.text(max_size=70)


def cipher(key: bytes = KEY) -> PatientCipher:
    return PatientCipher(key, os.urandom)


@given(texts, texts, st.text(max_size=64))
def test_what_was_encrypted_is_decrypted(patient_id: str | None, issuer: str | None, uid: str) -> None:
    patient = Patient(patient_id, issuer)
    assert cipher().decrypt(cipher().encrypt(patient, uid), uid) == patient


def test_the_identifiers_of_an_instance_are_concealed() -> None:
    data = file_bytes(
        "1.2.840.10008.1.2.1",
        SOPClassUID=SECONDARY_CAPTURE,
        SOPInstanceUID="1.2.3",
        PatientID="DOE-17",
        IssuerOfPatientID="HOSPITAL",
    )
    concealed = cipher().conceal(read_instance(data))
    assert b"DOE" not in concealed
    assert cipher().decrypt(concealed, "1.2.3") == Patient("DOE-17", "HOSPITAL")


@given(st.integers(0, 91), st.integers(1, 255))
def test_every_change_is_noticed(at: int, change: int) -> None:
    concealed = bytearray(cipher().encrypt(Patient("DOE", None), "1.2.3"))
    assert len(concealed) == 92
    concealed[at] ^= change
    with pytest.raises(WrongKey):
        cipher().decrypt(bytes(concealed), "1.2.3")


@pytest.mark.parametrize("concealed", [b"", b"short", bytes(12), bytes(92)])
def test_what_was_never_encrypted_is_refused(concealed: bytes) -> None:
    with pytest.raises(WrongKey):
        cipher().decrypt(concealed, "1.2.3")


def test_another_key_or_instance_is_refused_without_a_word_of_the_patient() -> None:
    concealed = cipher().encrypt(Patient("DOE", None), "1.2.3")
    with pytest.raises(WrongKey) as caught:
        cipher().decrypt(concealed, "1.2.4")
    assert "DOE" not in str(caught.value)
    with pytest.raises(WrongKey):
        cipher(bytes(32)).decrypt(concealed, "1.2.3")


def test_the_same_patient_looks_different_every_time_and_as_long_as_others() -> None:
    made = {cipher().encrypt(Patient(name, None), "1.2.3") for name in ("A", "A", "A", "LONGER NAME OF ONE")}
    assert len(made) == 4
    assert len({len(concealed) for concealed in made}) == 1


@pytest.mark.parametrize("length", [0, 16, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        PatientCipher(bytes(length), os.urandom)
