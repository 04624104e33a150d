"""From the destinations of a configuration to destinations that work: files read, names resolved, layouts parsed."""

import secrets
import time
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from karnak.errors import KarnakError
from karnak.gateway.config_destinations import (
    KEEP,
    BasicEntry,
    BearerEntry,
    DicomEntry,
    FolderEntry,
    OAuth2Entry,
    StowEntry,
    TlsEntry,
    VirtualEntry,
)
from karnak.gateway.config_notes import Location, Notes, did_you_mean
from karnak.gateway.deliver.association import Peer
from karnak.gateway.deliver.conversion import TARGETS
from karnak.gateway.deliver.converting import Converting
from karnak.gateway.deliver.credentials import (
    Anonymous,
    Basic,
    Bearer,
    Client,
    ClientCredentials,
    Credentials,
    is_token,
)
from karnak.gateway.deliver.dicom import DicomDestination
from karnak.gateway.deliver.folder import FolderDestination
from karnak.gateway.deliver.layout import Layout, LayoutError
from karnak.gateway.deliver.parcel import Destination
from karnak.gateway.deliver.service import Clients, Service
from karnak.gateway.deliver.stow import StowDestination
from karnak.gateway.deliver.tls import RenewedTrust, TlsError, Trust
from karnak.gateway.deliver.virtual import VirtualDestination
from karnak.gateway.projects import readable_by_others
from karnak.gateway.renewed import Rules
from karnak.gateway.transfer_syntaxes import transfer_syntax_uid
from karnak.standard.uids import uid_name

Entry = DicomEntry | StowEntry | FolderEntry | VirtualEntry
AuthEntry = BasicEntry | BearerEntry | OAuth2Entry

# No password, token or secret is longer; a file that is, is another one.
_MAXIMUM_SECRET = 65536


class DestinationPlanner:
    """Makes destinations and notes what is wrong with them; what it makes is good only if nothing was.

    Args:
        base: folder that relative paths start from.
        environment: environment variables.
        notes: where to note what is wrong.
        failed: is told, later, of renewed files for TLS that can't be used; the last good ones stay in force.
    """

    def __init__(
        self, base: Path, environment: Mapping[str, str], notes: Notes, failed: Callable[[KarnakError], None]
    ) -> None:
        self._failed = failed
        self._base = base
        self._environment = environment
        self._notes = notes

    def destination(self, entry: Entry, calling_ae_title: str, at: Location) -> Destination:
        """Make a destination; nothing is opened or connected to yet.

        Args:
            entry: its settings.
            calling_ae_title: what we call ourselves where the settings don't say.
            at: where it stands in the configuration.
        """
        if isinstance(entry, DicomEntry):
            return self._dicom(entry, calling_ae_title, at)
        if isinstance(entry, StowEntry):
            return self._in_syntax(entry, self._stow(entry, at), at)
        if isinstance(entry, FolderEntry):
            folder = FolderDestination(self._base / entry.path, self._layout(entry, at))
            return self._in_syntax(entry, folder, at)
        return VirtualDestination()

    def _in_syntax(self, entry: StowEntry | FolderEntry, destination: Destination, at: Location) -> Destination:
        uid = self._transfer_syntax(entry, at)
        return Converting(destination, uid) if uid is not None else destination

    def _dicom(self, entry: DicomEntry, calling_ae_title: str, at: Location) -> DicomDestination:
        peer = Peer(
            entry.ae_title,
            entry.host,
            entry.port,
            entry.calling_ae_title or calling_ae_title,
            entry.connect_timeout,
            entry.response_timeout,
            self.tls(entry.tls, (*at, "tls")) if entry.tls is not None else None,
        )
        return DicomDestination(peer, entry.maximum_associations, self._transfer_syntax(entry, at))

    def _transfer_syntax(self, entry: DicomEntry | StowEntry | FolderEntry, at: Location) -> str | None:
        if entry.transfer_syntax == KEEP:
            return None
        at = (*at, "transfer_syntax")
        uid = transfer_syntax_uid(entry.transfer_syntax)
        names = tuple(uid_name(target) or target for target in TARGETS)
        if uid is None:
            hint = did_you_mean(entry.transfer_syntax, (KEEP, *names)) or f"{KEEP}, or one of {', '.join(names)}"
            self._notes.add("G209", f"there is no transfer syntax {entry.transfer_syntax}", at, hint)
        elif uid not in TARGETS:
            message = f"instances can't be brought into {uid_name(uid)}: Karnak has no codec for it"
            self._notes.add("G210", message, at, f"{KEEP} leaves them as they are; it can be {', '.join(names)}, too")
        return uid

    def _layout(self, entry: FolderEntry, at: Location) -> Layout | None:
        try:
            return Layout.parse(entry.layout)
        except LayoutError as error:
            self._notes.add(
                "G211", str(error), (*at, "layout"), "such as {PatientID}/{StudyInstanceUID}/{SOPInstanceUID}.dcm"
            )
            return None

    def _stow(self, entry: StowEntry, at: Location) -> StowDestination:
        service, credentials = self.service(entry, at)
        return StowDestination(service, lambda: secrets.token_hex(16), credentials)

    def service(self, entry: StowEntry, at: Location) -> tuple[Service, Credentials]:
        """Make what a DICOMweb service is asked with; nothing is connected to yet.

        Args:
            entry: the settings of the destination.
            at: where they stand in the configuration.
        """
        secure = entry.url.startswith("https:")
        if entry.tls is not None and not secure:
            self._notes.add("G205", "with an address that begins with http:// `tls` has no effect", (*at, "tls"))
        if entry.auth is not None and not secure and _leaves_machine(entry.url):
            message = "everyone on the way can read these credentials, and the instances"
            self._notes.add("G214", message, (*at, "url"), "use an address that begins with https://")
        service = Service(
            entry.url,
            entry.headers,
            entry.connect_timeout,
            entry.send_timeout,
            entry.response_timeout,
            self.tls(entry.tls or TlsEntry(), (*at, "tls")) if secure else None,
            entry.http2,
            entry.instances_per_request,
            entry.maximum_connections,
        )
        return service, self._credentials(entry.auth, service, (*at, "auth"))

    def _credentials(self, entry: AuthEntry | None, service: Service, at: Location) -> Credentials:
        if isinstance(entry, BasicEntry):
            return Basic(entry.user, self._secret("password", entry.password_file, entry.password_env, at))
        if isinstance(entry, BearerEntry):
            token = self._secret("token", entry.token_file, entry.token_env, at)
            if token and not is_token(token):
                key = "token_env" if entry.token_file is None else "token_file"
                self._notes.add(
                    "G306", "what is in it can't be a bearer token", (*at, key), "RFC 6750 section 2.1 says what can"
                )
            path = self._base / entry.token_file if entry.token_file is not None else None
            return Bearer(lambda: _read(path) if path is not None else token)
        if isinstance(entry, OAuth2Entry):
            return self._oauth2(entry, service, at)
        return Anonymous()

    def _oauth2(self, entry: OAuth2Entry, service: Service, at: Location) -> Credentials:
        secure = entry.token_url.startswith("https:")
        if not secure and _leaves_machine(entry.token_url):
            message = "everyone on the way can read the secret and the tokens"
            self._notes.add("G214", message, (*at, "token_url"), "use an address that begins with https://")
        client = Client(
            entry.token_url,
            entry.client_id,
            self._secret("client_secret", entry.client_secret_file, entry.client_secret_env, at),
            entry.scope,
            entry.client_authentication == "body",
            entry.parameters,
        )
        server = Service(
            entry.token_url,
            connect_timeout=service.connect_timeout,
            send_timeout=service.send_timeout,
            response_timeout=service.response_timeout,
            tls=self.tls(entry.tls or TlsEntry(), (*at, "tls")) if secure else None,
        )
        return ClientCredentials(client, Clients(server), time.monotonic)

    def tls(self, entry: TlsEntry, at: Location) -> Rules | None:
        """Make what TLS asks for, or None where something is wrong.

        Args:
            entry: the settings.
            at: where they stand in the configuration.
        """
        if not entry.verify:
            message = "whoever pretends to be this peer gets the instances: its certificate is not verified"
            self._notes.add("G213", message, (*at, "verify"), "name the authority that has signed it in `ca_file`")
        if entry.key_file is not None and entry.certificate_file is None:
            self._notes.add("G102", "a `key_file` needs a `certificate_file`", (*at, "key_file"))
        files = (entry.ca_file, entry.certificate_file, entry.key_file)
        ca, certificate, key = (self._base / file if file is not None else None for file in files)
        try:
            return RenewedTrust(Trust(ca, certificate, key, entry.check_host, entry.verify), self._failed)
        except TlsError as error:
            self._notes.add("G305", str(error), at)
            return None

    def _secret(self, what: str, file: Path | None, variable: str | None, at: Location) -> str:
        """Read a password, a token or a secret; it stands in no note."""
        if (file is None) == (variable is None):
            self._notes.add("G102", f"one of `{what}_file` and `{what}_env` is needed here", at)
            return ""
        try:
            if file is None:
                return _checked(self._environment[variable or ""])
            path = self._base / file
            secret = _read(path)
            if readable_by_others(path):
                message = f"everyone on this machine can read the {what.replace('_', ' ')}"
                self._notes.add("G302", message, (*at, f"{what}_file"), f"chmod 600 {path}")
            return secret
        except KeyError:
            self._notes.add("G306", f"there is no environment variable {variable}", (*at, f"{what}_env"))
        except OSError as error:
            self._notes.add("G306", f"the file {file} can't be read: {error.strerror}", (*at, f"{what}_file"))
        except ValueError:
            key = f"{what}_env" if file is None else f"{what}_file"
            message = f"there is no {what.replace('_', ' ')} in it: one line of letters, digits and signs"
            self._notes.add("G306", message, (*at, key))
        return ""


def _leaves_machine(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _read(path: Path) -> str:
    """Read the one line that a file holds.

    Raises:
        OSError: it can't be read.
        ValueError: it holds something else.
    """
    with path.open("rb") as file:
        text = file.read(_MAXIMUM_SECRET + 1)
    if len(text) > _MAXIMUM_SECRET:
        raise ValueError
    return _checked(text.decode("utf-8"))


def _checked(text: str) -> str:
    text = text.strip("\r\n")
    if not text or not text.isprintable():
        raise ValueError
    return text
