"""From the configuration's sections about the gateway itself to what it needs: tokens and keys read, paths resolved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from karnak.gateway.config import Config
from karnak.gateway.config_house import ReloadSection, SpoolSection, Tls
from karnak.gateway.config_notes import Location, Notes
from karnak.gateway.deliver.backoff import Patience
from karnak.gateway.projects import readable_by_others
from karnak.gateway.receive.tls import TlsFiles, UnusableCertificate, listening_rules
from karnak.gateway.retry_plan import plan_backoff

_KEY_DIGITS = 64
_SHORTEST_TOKEN = 16
_MAXIMUM_FILE = 4096


@dataclass(frozen=True, slots=True)
class ApiPlan:
    """Where the API listens.

    Attributes:
        host: address.
        port: TCP port.
        token: what callers show, or None where only this machine may call.
    """

    host: str
    port: int
    token: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class StowSender:
    """Somebody who may send by STOW-RS.

    Attributes:
        token: what it shows.
        calling_ae: the AE title that stands for it.
        called_ae: the forward node that takes what it sends.
    """

    token: str = field(repr=False)
    calling_ae: str
    called_ae: str


@dataclass(frozen=True, slots=True)
class StowPlan:
    """The STOW-RS door.

    Attributes:
        host: address to listen on.
        port: TCP port.
        tls: certificate and key, or None.
        senders: who may send.
        maximum_instance: bytes of the largest instance, 0 for any.
    """

    host: str
    port: int
    tls: Tls | None
    senders: tuple[StowSender, ...]
    maximum_instance: int


@dataclass(frozen=True, slots=True)
class HousePlan:
    """What a gateway needs beside its forward nodes.

    Attributes:
        spool: how what was taken is kept.
        index_url: SQLAlchemy URL of the index, or None for SQLite in the data folder.
        api: where the API listens, or None for no API.
        stow: the STOW-RS door, or None.
        tls: TLS for associations, or None.
        keep_days: days after which ended instances are forgotten.
        maximum_rows: instances that are remembered at most.
        patient_key: 32 bytes that PatientIDs are encrypted with, or None where they are not kept.
        reload: how new rules come in.
        patience: how long reports of Storage Commitment are owed.
    """

    spool: SpoolSection
    index_url: str | None = field(repr=False)
    api: ApiPlan | None
    stow: StowPlan | None
    tls: Tls | None
    keep_days: int
    maximum_rows: int
    patient_key: bytes | None = field(repr=False)
    reload: ReloadSection
    patience: Patience = field(default_factory=Patience)


def plan_house(config: Config, base: Path, environment: Mapping[str, str], notes: Notes) -> HousePlan:
    """Read what the sections name.

    Args:
        config: the configuration.
        base: folder that relative paths start from.
        environment: environment variables.
        notes: where to note what is wrong; the plan is of use only where that is nothing.
    """
    return _HousePlanner(config, base, environment, notes).plan()


def plan_api(config: Config, base: Path, environment: Mapping[str, str], notes: Notes) -> ApiPlan | None:
    """Find where the API listens; None where there is none.

    Args:
        config: the configuration.
        base: folder that relative paths start from.
        environment: environment variables.
        notes: where to note what is wrong.
    """
    return _HousePlanner(config, base, environment, notes).api()


def plan_index(config: Config, environment: Mapping[str, str], notes: Notes) -> str | None:
    """Find where the index is.

    Args:
        config: the configuration.
        environment: environment variables.
        notes: where to note what is wrong.

    Returns:
        SQLAlchemy URL, or None for SQLite in the data folder.
    """
    section = config.index
    if section.url is not None and section.url_env is not None:
        notes.add("G105", "the index has a `url` and a `url_env`", ("index", "url_env"), "leave one of them out")
    url = section.url
    if section.url_env is not None:
        url = environment.get(section.url_env)
        if url is None:
            notes.add("G301", f"there is no environment variable {section.url_env}", ("index", "url_env"))
    if url is not None and not url.startswith(("postgresql", "sqlite")):
        at: Location = ("index", "url" if section.url is not None else "url_env")
        notes.add("G103", "the index can lie in SQLite or PostgreSQL only", at, "postgresql+psycopg://...")
    return url


def plan_patient_key(config: Config, base: Path, environment: Mapping[str, str], notes: Notes) -> bytes | None:
    """Read the key of patients' identifiers; None where they are not kept.

    Args:
        config: the configuration.
        base: folder that relative paths start from.
        environment: environment variables.
        notes: where to note what is wrong.
    """
    return _HousePlanner(config, base, environment, notes).patient_key()


class _HousePlanner:
    def __init__(self, config: Config, base: Path, environment: Mapping[str, str], notes: Notes) -> None:
        self._config = config
        self._base = base
        self._environment = environment
        self._notes = notes

    def plan(self) -> HousePlan:
        config = self._config
        return HousePlan(
            config.spool,
            plan_index(self._config, self._environment, self._notes),
            self.api(),
            self._stow(),
            self._tls(config.listen.tls, ("listen", "tls")),
            config.ledger.keep_days,
            config.ledger.maximum_rows,
            self.patient_key(),
            config.reload,
            self._patience(),
        )

    def api(self) -> ApiPlan | None:
        """Where the API listens."""
        section = self._config.api
        if not section.enabled:
            return None
        token = self._secret("api", ("api",), section.token_file, section.token_env)
        if (
            token is None
            and section.host not in ("127.0.0.1", "::1", "localhost")
            and not (section.token_file or section.token_env)
        ):
            self._notes.add(
                "G215", "an API that other machines reach needs a token", ("api", "host"), "add `token_file`"
            )
        return ApiPlan(section.host, section.port, token)

    def _stow(self) -> StowPlan | None:
        section = self._config.dicomweb
        if section is None:
            return None
        nodes = {node.ae_title for node in self._config.forward_nodes}
        senders: list[StowSender] = []
        for i, entry in enumerate(section.senders):
            at: Location = ("dicomweb", "senders", i)
            if entry.forward_node not in nodes:
                self._notes.add("G216", f"there is no forward node {entry.forward_node}", (*at, "forward_node"))
            if entry.token_file is None and entry.token_env is None:
                self._notes.add("G102", "a sender needs one of `token_file` and `token_env`", at)
            token = self._secret("token", at, entry.token_file, entry.token_env)
            if token is not None:
                if any(sender.token == token for sender in senders):
                    self._notes.add("G201", "another sender has the same token", at, "give each a token of its own")
                senders.append(StowSender(token, entry.ae_title, entry.forward_node))
        tls = self._tls(section.tls, ("dicomweb", "tls"))
        return StowPlan(section.host, section.port, tls, tuple(senders), section.maximum_instance)

    def _tls(self, section: Tls | None, at: Location) -> Tls | None:
        if section is None:
            return None
        files = {"certificate": section.certificate, "key": section.key, "client_ca": section.client_ca}
        found = {name: self._base / path for name, path in files.items() if path is not None}
        for name, path in found.items():
            if not path.is_file():
                self._notes.add("G305", f"there is no file {files[name]}", (*at, name), "PEM files are expected")
        if all(path.is_file() for path in found.values()):
            try:
                listening_rules(TlsFiles(found["certificate"], found["key"], found.get("client_ca")))
            except UnusableCertificate as error:
                self._notes.add("G305", str(error), at, "PEM files are expected, and a key without a password")
        return Tls.model_validate(found)

    def _patience(self) -> Patience:
        section = self._config.storage_commitment
        backoff = plan_backoff(section.retry, ("storage_commitment", "retry"), self._notes)
        return Patience(backoff, timedelta(days=section.keep_days))

    def patient_key(self) -> bytes | None:
        """The key of patients' identifiers."""
        section = self._config.ledger
        if section.patient_identifiers == "none":
            return None
        if section.key_file is None and section.key_env is None:
            hint = "such as key_file: secrets/ledger.hex, made by `openssl rand -hex 32`"
            self._notes.add("G102", "encrypted patient identifiers need a `key_file` or `key_env`", ("ledger",), hint)
            return None
        text = self._secret("key", ("ledger",), section.key_file, section.key_env)
        if text is None:
            return None
        try:
            key = bytes.fromhex(text)
        except ValueError:
            key = b""
        if len(key) * 2 != _KEY_DIGITS:
            self._notes.add("G301", f"the key of the ledger is not {_KEY_DIGITS} hexadecimal digits", ("ledger",))
            return None
        return key

    def _secret(self, what: str, at: Location, file: Path | None, variable: str | None) -> str | None:
        """Read a token or key from a file or an environment variable; what is wrong is noted."""
        prefix = "key" if what == "key" else "token"
        if file is not None and variable is not None:
            self._notes.add("G105", f"there is a `{prefix}_file` and a `{prefix}_env`", (*at, f"{prefix}_env"))
            return None
        if variable is not None:
            text = self._environment.get(variable)
            if text is None:
                self._notes.add("G301", f"there is no environment variable {variable}", (*at, f"{prefix}_env"))
                return None
        elif file is not None:
            place = (*at, f"{prefix}_file")
            path = self._base / file
            try:
                with path.open("rb") as stream:
                    text = stream.read(_MAXIMUM_FILE).decode("ascii")
                if readable_by_others(path):
                    message = f"everyone on this machine can read the {prefix}"
                    self._notes.add("G302", message, place, f"chmod 600 {path}")
            except OSError as error:
                self._notes.add("G301", f"the file {file} can't be read: {error.strerror}", place)
                return None
            except UnicodeDecodeError:
                self._notes.add("G301", f"the file {file} holds something else than ASCII text", place)
                return None
        else:
            return None
        text = text.strip()
        if len(text) < _SHORTEST_TOKEN:
            place = (*at, f"{prefix}_env" if variable is not None else f"{prefix}_file")
            self._notes.add("G301", f"a {prefix} has at least {_SHORTEST_TOKEN} characters", place)
            return None
        return text
