"""Keys: everything that is derived from a project's secret with HMAC-SHA256.

Equal input and equal secret give equal output on every machine; without the secret
nothing here can be undone or guessed. Source: the language page, section 6.
"""

import hmac
from dataclasses import dataclass, field

from karnak.errors import KarnakError

SECRET_BYTES = 16
# 32 symbols that people don't confuse when they read them aloud (Crockford's base 32).
_SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_PSEUDONYM_SYMBOLS = 12


class SecretError(KarnakError):
    """A project's secret is missing or is not 16 bytes."""


@dataclass(frozen=True, slots=True)
class Project:
    """A research project: its name and the secret that all its pseudonyms and UIDs come from.

    Args:
        name: goes into ClinicalTrialSponsorName.
        secret: 16 bytes; never shown by repr.

    Raises:
        SecretError: the secret is not 16 bytes.
    """

    name: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != SECRET_BYTES:
            raise SecretError(
                f"the secret of project {self.name!r} has {len(self.secret)} bytes; it needs {SECRET_BYTES} "
                "(32 hexadecimal digits)"
            )

    def hash(self, text: str) -> bytes:
        """H(s): 32 bytes, HMAC-SHA256 of the text as UTF-8."""
        return hmac.digest(self.secret, text.encode("utf-8"), "sha256")

    def uid(self, uid: str) -> str:
        """Derive the UID that stands for `uid` everywhere in this project.

        Returns:
            "2.25." and the decimal value of a version 4 UUID (PS3.5 B.2).
        """
        digest = bytearray(self.hash(uid)[:16])
        digest[6] = digest[6] & 0x0F | 0x40
        digest[8] = digest[8] & 0x3F | 0x80
        return f"2.25.{int.from_bytes(digest)}"

    def fraction(self, text: str) -> float:
        """Derive a number from 0 (inclusive) to 1 (exclusive)."""
        return int.from_bytes(self.hash(text)[:6]) / 2**48

    def scale(self, text: str, minimum: int, maximum: int) -> int:
        """Derive an integer from minimum (inclusive) to maximum (exclusive)."""
        return scaled(self.fraction(text), minimum, maximum)

    def patient_id(self, pseudonym: str) -> str:
        """Derive the PatientID of a pseudonym: up to 32 upper-case hexadecimal digits, no leading zeros."""
        return f"{int.from_bytes(self.hash(pseudonym)[:16]):X}"

    def pseudonym(self, patient_id: str, issuer: str | None) -> str:
        """Derive a short, stable pseudonym for a patient who has none from elsewhere.

        Args:
            patient_id: PatientID (0010,0020).
            issuer: IssuerOfPatientID (0010,0021), or None.

        Returns:
            14 characters, XXXX-XXXX-XXXX, 60 bits of H.
        """
        # The length prefix keeps ("1", "23") and ("12", "3") apart.
        number = int.from_bytes(self.hash(f"pseudonym:{len(patient_id)}:{patient_id}:{issuer or ''}")[:8])
        code = "".join(_SYMBOLS[number >> 5 * i & 31] for i in range(_PSEUDONYM_SYMBOLS))
        return "-".join(code[i : i + 4] for i in range(0, _PSEUDONYM_SYMBOLS, 4))


def scaled(fraction: float, minimum: int, maximum: int) -> int:
    """The integer at a fraction of the way from minimum (inclusive) to maximum (exclusive)."""
    return int(fraction * (maximum - minimum)) + minimum


def parse_secret(text: str) -> bytes:
    """Read a secret as people write it: 32 hexadecimal digits, dashes and spaces allowed.

    Raises:
        SecretError: it is something else; the message does not repeat it.
    """
    digits = text.strip().replace("-", "").replace(" ", "")
    try:
        secret = bytes.fromhex(digits)
    except ValueError:
        secret = b""
    if len(secret) != SECRET_BYTES:
        raise SecretError(f"a secret is {2 * SECRET_BYTES} hexadecimal digits; this one is not")
    return secret
