"""The gateway's configuration: what can be written, with its limits and defaults.

This file is the list of settings; `plan.py` says what they mean together.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from karnak.gateway.config_destinations import CommitmentSection, DestinationEntry, TlsEntry
from karnak.gateway.config_house import (
    ApiSection,
    DicomwebSection,
    IndexSection,
    LedgerSection,
    Listen,
    ReloadSection,
    SpoolSection,
)
from karnak.gateway.config_types import AeTitle, Host, Name, Port, Section

ANYONE = "any"


def _anyone(value: Any) -> Any:
    return None if value == ANYONE else value


class ProjectEntry(Section):
    """A project: its name, its profile and where its secret is.

    Attributes:
        name: what destinations call it; goes into ClinicalTrialSponsorName.
        profile: file of the profile.
        secret_file: file with 32 hexadecimal digits.
        secret_env: environment variable with the same, instead.
    """

    name: Name
    profile: Path
    secret_file: Path | None = None
    secret_env: str | None = None


class SourceEntry(Section):
    """Someone who may send.

    Attributes:
        ae_title: calling AE title.
        host: name or address it must come from, where that is checked.
        check_host: whether it is checked.
        port: TCP port at `host` where it takes what Storage Commitment answers.
        tls: what TLS asks for there; without it there is none.
    """

    ae_title: AeTitle
    host: Host | None = None
    check_host: bool = False
    port: Port | None = None
    tls: TlsEntry | None = None


class ForwardNodeEntry(Section):
    """An AE title that can be called, who may call it, and where its instances go.

    Attributes:
        ae_title: called AE title.
        sources: who may send, or None for anyone (written `any`).
        destinations: where instances go; each gets its own copy.
    """

    ae_title: AeTitle
    sources: Annotated[Annotated[tuple[SourceEntry, ...], Field(min_length=1)] | None, BeforeValidator(_anyone)]
    destinations: Annotated[tuple[DestinationEntry, ...], Field(min_length=1)]


class Config(Section):
    """The whole configuration.

    Attributes:
        listen: where the gateway listens.
        data_dir: folder for what the gateway keeps.
        spool: how what was taken is kept until it is delivered.
        index: where the index and the ledger are.
        api: the API and its metrics.
        dicomweb: the STOW-RS door, or None for none.
        ledger: how long is remembered what became of instances.
        storage_commitment: how long reports are owed.
        reload: how new rules come in while the gateway runs.
        engine: what carries the rules out: decision tables, or the interpreter, which is slow and the judge.
        projects: projects that destinations name.
        forward_nodes: AE titles that can be called.
    """

    listen: Listen = Listen()
    data_dir: Path
    spool: SpoolSection = SpoolSection()
    index: IndexSection = IndexSection()
    api: ApiSection = ApiSection()
    dicomweb: DicomwebSection | None = None
    ledger: LedgerSection = LedgerSection()
    storage_commitment: CommitmentSection = CommitmentSection()
    reload: ReloadSection = ReloadSection()
    engine: Literal["tables", "reference"] = "tables"
    projects: tuple[ProjectEntry, ...] = ()
    forward_nodes: Annotated[tuple[ForwardNodeEntry, ...], Field(min_length=1)]
