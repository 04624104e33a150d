"""TLS towards a destination: whom we trust, and who we are.

TLS 1.2 is the least, as BCP 195 (RFC 9325) and PS3.15 section B.9 ask; with it only suites that keep recorded
traffic secret after a key is lost.
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from karnak.errors import KarnakError
from karnak.gateway.renewed import RenewedContext

# Forward secrecy and authenticated encryption (RFC 9325 section 4.2); TLS 1.3 has nothing else.
_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"


class TlsError(KarnakError):
    """Files for TLS can't be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Trust:
    """What TLS towards a destination asks for.

    Attributes:
        ca_file: certificates of the authorities that are trusted, or None for those of the system.
        certificate_file: our own certificate and those that lead to its authority, or None.
        key_file: its private key, or None where that lies in the same file.
        check_host: the peer's certificate must be for the host that is called.
        verify: the peer's certificate must be good; without this anybody can pretend to be the peer.
    """

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    check_host: bool = True
    verify: bool = True


def client_context(trust: Trust) -> ssl.SSLContext:
    """Make what connections are wrapped with.

    Args:
        trust: what is asked for.

    Raises:
        TlsError: a file can't be read, or isn't what it should be.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.check_hostname = trust.check_host and trust.verify
    context.verify_mode = ssl.CERT_REQUIRED if trust.verify else ssl.CERT_NONE
    if trust.ca_file is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(cafile=trust.ca_file)
        except ssl.SSLError:
            raise TlsError(f"{trust.ca_file.name} holds no certificates in PEM form") from None
        except OSError as error:
            raise TlsError(f"{trust.ca_file.name} can't be read: {error.strerror}") from None
    if trust.certificate_file is not None:
        key = trust.key_file or trust.certificate_file
        names = " and ".join(dict.fromkeys((trust.certificate_file.name, key.name)))
        try:
            # An empty password: a key that asks for one is an error, and no question on the terminal.
            context.load_cert_chain(trust.certificate_file, key, password="")
        except ssl.SSLError:
            raise TlsError(f"{names}: no certificate in PEM form with its key, without a password") from None
        except OSError as error:
            raise TlsError(f"{names} can't be read: {error.strerror}") from None
    return context


class RenewedTrust(RenewedContext):
    """What connections are wrapped with, as the files have it now; those of the system are read once.

    Args:
        trust: what is asked for.
        failed: is told once about each state of the files that can't be used.

    Raises:
        TlsError: they can't be used, and there is nothing before them.
    """

    def __init__(self, trust: Trust, failed: Callable[[KarnakError], None]) -> None:
        named = (trust.ca_file, trust.certificate_file, trust.key_file)
        super().__init__(lambda: client_context(trust), [file for file in named if file is not None], failed)
