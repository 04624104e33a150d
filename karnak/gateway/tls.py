"""TLS of listeners: certificate and key from files, read again when they are renewed.

TLS 1.2 and 1.3 with the cipher suites of OpenSSL's defaults that give forward secrecy and authenticated encryption
(BCP 195, RFC 9325; PS3.15 annex B.12). A renewed file that can't be read leaves the last good one in force.
"""

import ssl
import threading
from collections.abc import Callable
from pathlib import Path

from karnak.errors import KarnakError

# TLS 1.2 only; those of 1.3 are all good. RFC 9325 section 4.2.
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM"

_Stamp = tuple[tuple[int, int, int], ...]


class UnusableTls(KarnakError):
    """Certificate or key can't be used."""


class ListenerTls:
    """Gives the rules for the next connection; from any thread.

    Args:
        certificate: PEM file of the certificate and its chain.
        key: PEM file of its key.
        client_ca: PEM file of authorities; callers then need a certificate of one of them.
        on_renewal: told True when renewed files are in force, False when they can't be used.

    Raises:
        UnusableTls: the files can't be used now.
    """

    def __init__(
        self, certificate: Path, key: Path, client_ca: Path | None, on_renewal: Callable[[bool], None]
    ) -> None:
        self._certificate = certificate
        self._key = key
        self._client_ca = client_ca
        self._on_renewal = on_renewal
        self._lock = threading.Lock()
        self._stamp = self._look()
        self._context = self._load()

    def __call__(self) -> ssl.SSLContext:
        """The rules that the files give now, or the last good ones."""
        with self._lock:
            stamp = self._look()
            if stamp != self._stamp:
                self._stamp = stamp
                try:
                    self._context = self._load()
                except UnusableTls:
                    self._on_renewal(False)
                else:
                    self._on_renewal(True)
            return self._context

    def _look(self) -> _Stamp:
        """What tells a renewed file from the one that was read."""
        stamp = []
        for path in filter(None, (self._certificate, self._key, self._client_ca)):
            try:
                found = path.stat()
                stamp.append((found.st_ino, found.st_mtime_ns, found.st_size))
            except OSError:
                stamp.append((0, 0, 0))
        return tuple(stamp)

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
        try:
            # A key that asks for a password would ask at a terminal.
            context.load_cert_chain(self._certificate, self._key, password="")
            if self._client_ca is not None:
                context.load_verify_locations(self._client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
        except (OSError, ValueError):
            raise UnusableTls(
                f"certificate {self._certificate} and key {self._key} can't be used together as PEM files without "
                "password" + (f", or {self._client_ca} holds no certificate" if self._client_ca else "")
            ) from None
        return context
