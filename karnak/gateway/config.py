"""The gateway's configuration: what can be written, with its limits and defaults.

This file is the list of settings; `plan.py` says what they mean together.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from karnak.gateway.config_destinations import DestinationEntry
from karnak.gateway.config_types import AeTitle, Host, Name, Seconds, Section

ANYONE = "any"


def _anyone(value: Any) -> Any:
    return None if value == ANYONE else value


class Listen(Section):
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
    """

    ae_title: AeTitle
    host: Host | None = None
    check_host: bool = False


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
        engine: what carries the rules out: decision tables, or the interpreter, which is slow and the judge.
        projects: projects that destinations name.
        forward_nodes: AE titles that can be called.
    """

    listen: Listen = Listen()
    data_dir: Path
    engine: Literal["tables", "reference"] = "tables"
    projects: tuple[ProjectEntry, ...] = ()
    forward_nodes: Annotated[tuple[ForwardNodeEntry, ...], Field(min_length=1)]
