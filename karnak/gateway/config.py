"""The gateway's configuration: what can be written, with its limits and defaults.

This file is the list of settings; `plan.py` says what they mean together.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from karnak.gateway.config_types import AeTitle, Host, Name, Port, Seconds

ANYONE = "any"


def _anyone(value: Any) -> Any:
    return None if value == ANYONE else value


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Listen(_Section):
    """Where and how the gateway listens.

    Attributes:
        host: address to listen on; 0.0.0.0 for all of the machine's.
        port: TCP port, 0 for any free one.
        maximum_associations: associations at once; more are told to come again.
        maximum_pdu: bytes of the longest PDU that senders may use, 0 for any length.
        idle_timeout: seconds of silence after which an association is cut.
        drain_timeout: seconds that instances in work get when the gateway is stopped.
    """

    host: Host = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 11112
    maximum_associations: Annotated[int, Field(ge=1, le=400)] = 50
    maximum_pdu: Annotated[int, Field(ge=0, le=1 << 28)] = 1 << 20
    idle_timeout: Seconds = 60
    drain_timeout: Seconds = 30


class ProjectEntry(_Section):
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


class SourceEntry(_Section):
    """Someone who may send.

    Attributes:
        ae_title: calling AE title.
        host: name or address it must come from, where that is checked.
        check_host: whether it is checked.
    """

    ae_title: AeTitle
    host: Host | None = None
    check_host: bool = False


class GeneratedEntry(_Section):
    """Pseudonyms derived from PatientID, IssuerOfPatientID and the project's secret."""

    source: Literal["generated"] = Field(alias="from")


class TagEntry(_Section):
    """Pseudonyms that the sender has put into an element.

    Attributes:
        tag: tag or keyword of the element.
        delimiter: text that splits its value, or None for the whole value.
        position: which piece, counted from 0.
    """

    source: Literal["tag"] = Field(alias="from")
    tag: str
    delimiter: Annotated[str, Field(min_length=1)] | None = None
    position: Annotated[int, Field(ge=0)] = 0


class CsvEntry(_Section):
    """Pseudonyms from a table.

    Attributes:
        file: UTF-8 text; its first line names the columns patient_id, pseudonym and, where needed, issuer.
        delimiter: one character between cells.
    """

    source: Literal["csv"] = Field(alias="from")
    file: Path
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","


PseudonymEntry = Annotated[GeneratedEntry | TagEntry | CsvEntry, Field(discriminator="source")]


class _DestinationEntry(_Section):
    """What all destinations have.

    Attributes:
        name: what messages call it.
        enabled: whether it gets anything.
        mode: what is done to instances: de-identified, only the profile's rules applied, or nothing.
        project: whose profile and secret are used.
        pseudonym: where pseudonyms come from.
        condition: expression that must hold for an instance to be sent.
        sop_classes: SOP Classes that are sent, by UID, name or keyword; all where there are none.
    """

    name: Name
    enabled: bool = True
    mode: Literal["deidentify", "morph", "none"]
    project: str | None = None
    pseudonym: PseudonymEntry | None = None
    condition: str | None = None
    sop_classes: tuple[str, ...] = ()


class DicomEntry(_DestinationEntry):
    """An application entity that instances are sent to by C-STORE.

    Attributes:
        ae_title: its AE title.
        host: name or address.
        port: TCP port.
        calling_ae_title: what we call ourselves; the forward node's AE title where there is none.
        connect_timeout: seconds for connecting and negotiating.
        response_timeout: seconds for the answer to C-STORE, and for taking each piece of an instance.
        maximum_associations: associations at once; some peers take only one.
    """

    type: Literal["dicom"]
    ae_title: AeTitle
    host: Host
    port: Port
    calling_ae_title: AeTitle | None = None
    connect_timeout: Seconds = 10
    response_timeout: Seconds = 60
    maximum_associations: Annotated[int, Field(ge=1, le=50)] = 1


class FolderEntry(_DestinationEntry):
    """A folder that instances are written to.

    Attributes:
        path: the folder; made when it is needed.
    """

    type: Literal["folder"]
    path: Path


DestinationEntry = Annotated[DicomEntry | FolderEntry, Field(discriminator="type")]


class ForwardNodeEntry(_Section):
    """An AE title that can be called, who may call it, and where its instances go.

    Attributes:
        ae_title: called AE title.
        sources: who may send, or None for anyone (written `any`).
        destinations: where instances go; each gets its own copy.
    """

    ae_title: AeTitle
    sources: Annotated[Annotated[tuple[SourceEntry, ...], Field(min_length=1)] | None, BeforeValidator(_anyone)]
    destinations: Annotated[tuple[DestinationEntry, ...], Field(min_length=1)]


class Config(_Section):
    """The whole configuration.

    Attributes:
        listen: where the gateway listens.
        data_dir: folder for what the gateway keeps.
        engine: what carries the rules out: decision tables, or the interpreter, which is slow and the judge.
        projects: projects that destinations name.
        forward_nodes: AE titles that can be called.
    """

    listen: Listen = Listen()
    data_dir: Path
    engine: Literal["tables", "reference"] = "tables"
    projects: tuple[ProjectEntry, ...] = ()
    forward_nodes: Annotated[tuple[ForwardNodeEntry, ...], Field(min_length=1)]
