"""What the ledger keeps of a patient, where the configuration wants that: PatientID and its issuer, encrypted.

AES-256-GCM with a random nonce (NIST SP 800-38D); the text is bound to its SOP Instance UID and filled up, so that
neither its length nor its place can be used. The key is no part of the index: who has the index alone learns nothing.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from karnak.errors import KarnakError
from karnak.runtime.part10 import PATIENT_ID, Instance

KEY_BYTES = 32
_NONCE_BYTES = 12
_FILL = 64
_PURPOSE = b"karnak ledger patient 1\0"
_ISSUER_OF_PATIENT_ID = 0x00100021


class WrongKey(KarnakError):
    """The identifiers were encrypted with another key, for another instance, or were changed."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Identifiers of a patient as the original has them.

    Attributes:
        patient_id: PatientID (0010,0020), or None.
        issuer: IssuerOfPatientID (0010,0021), or None.
    """

    patient_id: str | None
    issuer: str | None


class PatientCipher:
    """Encrypts identifiers of patients and decrypts them.

    Args:
        key: 32 random bytes.
        random: gives so many random bytes.

    Raises:
        ValueError: the key has another length.
    """

    def __init__(self, key: bytes, random: Callable[[int], bytes]) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key has {KEY_BYTES} bytes")
        self._cipher = AESGCM(key)
        self._random = random

    def conceal(self, instance: Instance) -> bytes:
        """Encrypt the identifiers of an original.

        Raises:
            TextError: they are no characters of the instance's character set.
        """
        patient = Patient(instance.text(PATIENT_ID), instance.text(_ISSUER_OF_PATIENT_ID))
        return self.encrypt(patient, instance.sop_instance_uid or "")

    def encrypt(self, patient: Patient, sop_instance_uid: str) -> bytes:
        """Encrypt identifiers.

        Args:
            patient: the identifiers.
            sop_instance_uid: of the original.
        """
        text = json.dumps([patient.patient_id, patient.issuer]).encode("ascii")
        text = text.ljust(-(-len(text) // _FILL) * _FILL)
        nonce = self._random(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text, _PURPOSE + sop_instance_uid.encode())

    def decrypt(self, concealed: bytes, sop_instance_uid: str) -> Patient:
        """Decrypt identifiers.

        Args:
            concealed: what `encrypt` gave.
            sop_instance_uid: of the original.

        Raises:
            WrongKey: they were not encrypted with this key for this instance.
        """
        nonce, sealed = concealed[:_NONCE_BYTES], concealed[_NONCE_BYTES:]
        try:
            text = self._cipher.decrypt(nonce, sealed, _PURPOSE + sop_instance_uid.encode())
        except (InvalidTag, ValueError):
            raise WrongKey("the patient's identifiers can't be decrypted with this key") from None
        return Patient(*json.loads(text))
