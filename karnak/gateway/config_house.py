"""The configuration's sections about the gateway itself: spool, index, API, STOW-RS, ledger, reload.

What can be written, with its limits and defaults; forward nodes and destinations are in `config.py`.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from karnak.gateway.config_types import AeTitle, Bytes, Host, Seconds, Section


class Tls(Section):
    """TLS of a listener (BCP 195).

    Attributes:
        certificate: PEM file of the certificate and its chain.
        key: PEM file of its key.
        client_ca: PEM file of authorities; callers then need a certificate of one of them.
    """

    certificate: Path
    key: Path
    client_ca: Path | None = None


class Listen(Section):
    """Where and how the gateway listens for DICOM associations.

    Attributes:
        host: address to listen on; 0.0.0.0 for all of the machine's.
        port: TCP port, 0 for any free one.
        processes: how many processes receive.
        maximum_associations: associations at once; more are told to come again.
        maximum_per_ae: associations at once of one calling AE title.
        maximum_pdu: bytes of the longest PDU that senders may use, 0 for any length.
        maximum_instance: bytes of the largest data set that is taken, 0 for any.
        request_timeout: seconds from a connection to its request, and for closing one (ARTIM, PS3.8 section 9.1.5).
        idle_timeout: seconds of silence after which an association is cut.
        minimum_rate: bytes per second that a sender sends at least in the middle of a message, on average of
            `idle_timeout`; 0 for any.
        drain_timeout: seconds that instances in work get when the gateway is stopped.
        tls: certificate and key where associations are encrypted.
    """

    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 11112
    processes: Annotated[int, Field(ge=1, le=16)] = 2
    maximum_associations: Annotated[int, Field(ge=1, le=400)] = 50
    maximum_per_ae: Annotated[int, Field(ge=1, le=400)] | None = None
    maximum_pdu: Annotated[int, Field(ge=0, le=1 << 28)] = 1 << 20
    maximum_instance: Bytes = 0
    request_timeout: Seconds = 30
    idle_timeout: Seconds = 60
    minimum_rate: Bytes = 1000
    drain_timeout: Seconds = 30
    tls: Tls | None = None


class SpoolSection(Section):
    """How what was taken is kept until it is delivered.

    Attributes:
        durability: fsync: an acknowledged instance survives a power failure; os: a crash of the process only.
        minimum_free: bytes of free disk below which nothing more is taken.
        originals: what becomes of an original that every destination has: removed, or kept below `data_dir/kept`.
    """

    durability: Literal["fsync", "os"] = "fsync"
    minimum_free: Bytes = 256 << 20
    originals: Literal["remove", "keep"] = "remove"


class IndexSection(Section):
    """Where the index and the ledger are.

    Attributes:
        url: SQLAlchemy URL of a PostgreSQL database; SQLite in `data_dir` where there is none.
        url_env: environment variable with the URL, where it holds a password.
    """

    url: str | None = None
    url_env: str | None = None


class ApiSection(Section):
    """The API and its metrics.

    Attributes:
        enabled: whether it is there.
        host: address to listen on; another than this machine's needs a token.
        port: TCP port, 0 for any free one.
        token_file: file with the token that callers show.
        token_env: environment variable with the token, instead.
    """

    enabled: bool = True
    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8081
    token_file: Path | None = None
    token_env: str | None = None


class DoorEntry(Section):
    """Somebody who may send by STOW-RS.

    Attributes:
        ae_title: calling AE title that stands for it in the ledger.
        forward_node: called AE title; whose destinations get what it sends.
        token_file: file with its bearer token.
        token_env: environment variable with the token, instead.
    """

    ae_title: AeTitle
    forward_node: AeTitle
    token_file: Path | None = None
    token_env: str | None = None


class DicomwebSection(Section):
    """The STOW-RS door (PS3.18 section 10.5).

    Attributes:
        host: address to listen on.
        port: TCP port, 0 for any free one.
        tls: certificate and key.
        senders: who may send.
        maximum_instance: bytes of the largest instance that is taken, 0 for any.
    """

    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8080
    tls: Tls | None = None
    senders: Annotated[tuple[DoorEntry, ...], Field(min_length=1)]
    maximum_instance: Bytes = 0


class LedgerSection(Section):
    """How long the ledger remembers, and what of patients.

    Attributes:
        keep_days: days after which ended instances are forgotten.
        maximum_rows: instances that are remembered at most.
        patient_identifiers: whether PatientID of the original is kept, encrypted, or not at all.
        key_file: file with the key for that, 64 hexadecimal digits.
        key_env: environment variable with the key, instead.
    """

    keep_days: Annotated[int, Field(ge=1, le=36500)] = 365
    maximum_rows: Annotated[int, Field(ge=1000)] = 10_000_000
    patient_identifiers: Literal["none", "encrypted"] = "none"
    key_file: Path | None = None
    key_env: str | None = None


class ReloadSection(Section):
    """How new rules come in while the gateway runs.

    Attributes:
        watch: whether the files of the configuration are watched.
        pin: instance: an instance goes by the rules of the moment it was taken; study: all of its study do.
        study_idle: seconds without an instance after which a study is no longer held to its rules.
    """

    watch: bool = True
    pin: Literal["instance", "study"] = "instance"
    study_idle: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)] = 600
