"""TLS for listening, by BCP 195: TLS 1.3, or TLS 1.2 with the cipher suites that RFC 9325 section 4.2 names.

Source: PS3.15 annex B, RFC 8996, RFC 9325.
"""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from karnak.errors import KarnakError
from karnak.gateway.renewed import RenewedContext

# For TLS 1.2; those of TLS 1.3 are all good.
CIPHERS = ":".join(
    (
        "ECDHE-ECDSA-AES128-GCM-SHA256",
        "ECDHE-RSA-AES128-GCM-SHA256",
        "ECDHE-ECDSA-AES256-GCM-SHA384",
        "ECDHE-RSA-AES256-GCM-SHA384",
    )
)


class UnusableCertificate(KarnakError):
    """A certificate, its key, or the list of authorities can't be used."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where certificates are, in PEM.

    Attributes:
        certificate: ours, with those between it and its root.
        key: its private key, without password.
        client_authorities: authorities whose certificates callers may show, or None to ask for none.
        client_certificate_required: who shows none is refused; else it may stay away, but not be wrong.
    """

    certificate: Path
    key: Path
    client_authorities: Path | None = None
    client_certificate_required: bool = True

    def as_json(self) -> dict[str, object]:
        """Say it in JSON."""
        authorities = self.client_authorities
        return {
            "certificate": str(self.certificate),
            "key": str(self.key),
            "client_authorities": None if authorities is None else str(authorities),
            "client_certificate_required": self.client_certificate_required,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "TlsFiles":
        """Understand what `as_json` has said."""
        authorities = data["client_authorities"]
        return cls(
            Path(data["certificate"]),
            Path(data["key"]),
            None if authorities is None else Path(authorities),
            data["client_certificate_required"],
        )


def listening_rules(files: TlsFiles) -> ssl.SSLContext:
    """Make the rules for accepted connections.

    Args:
        files: the certificates.

    Raises:
        UnusableCertificate: they can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    try:
        # Without the function OpenSSL would ask for a password on the terminal.
        context.load_cert_chain(files.certificate, files.key, password=lambda: "")
    except (OSError, ValueError) as error:
        names = f"{files.certificate} and {files.key}"
        raise UnusableCertificate(f"the certificate and key in {names} can't be used: {_words(error)}") from None
    if files.client_authorities is not None:
        try:
            context.load_verify_locations(files.client_authorities)
        except (OSError, ValueError) as error:
            reason = f"the authorities in {files.client_authorities} can't be used: {_words(error)}"
            raise UnusableCertificate(reason) from None
        context.verify_mode = ssl.CERT_REQUIRED if files.client_certificate_required else ssl.CERT_OPTIONAL
    return context


class RenewedRules(RenewedContext):
    """The rules of TLS as the files have them now; call it for each connection, from any thread.

    Args:
        files: the certificates.
        failed: is told once about each state of the files that can't be used.

    Raises:
        UnusableCertificate: they can't be used, and there is nothing before them.
    """

    def __init__(self, files: TlsFiles, failed: Callable[[KarnakError], None]) -> None:
        named = (files.certificate, files.key, files.client_authorities)
        super().__init__(lambda: listening_rules(files), [file for file in named if file is not None], failed)


def _words(error: OSError | ValueError) -> str:
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return getattr(error, "strerror", None) or "it is not in PEM"
