"""Destinations in the gateway's configuration: their settings, with limits and defaults.

This file is the list of settings; `destination_plans.py` says what is made of them.
"""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from karnak.gateway.config_types import AeTitle, HeaderName, Host, Name, Port, Seconds, Section, Text, Url
from karnak.gateway.deliver.layout import DEFAULT_LAYOUT

KEEP = "keep"


class GeneratedEntry(Section):
    """Pseudonyms derived from PatientID, IssuerOfPatientID and the project's secret."""

    source: Literal["generated"] = Field(alias="from")


class TagEntry(Section):
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


class CsvEntry(Section):
    """Pseudonyms from a table.

    Attributes:
        file: UTF-8 text; its first line names the columns patient_id, pseudonym and, where needed, issuer.
        delimiter: one character between cells.
    """

    source: Literal["csv"] = Field(alias="from")
    file: Path
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","


PseudonymEntry = Annotated[GeneratedEntry | TagEntry | CsvEntry, Field(discriminator="source")]


class RetryEntry(Section):
    """When what a destination didn't take is tried again; it is tried for ever.

    Attributes:
        first: seconds to wait after the first failure, at most.
        factor: by how much each wait is longer than the one before.
        longest: seconds that no wait exceeds.
    """

    first: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)] = 5
    factor: Annotated[float, Field(ge=1, le=100, allow_inf_nan=False)] = 2
    longest: Annotated[float, Field(gt=0, le=86400, allow_inf_nan=False)] = 600


class CommitmentSection(Section):
    """Reports of Storage Commitment over new associations.

    Attributes:
        keep_days: days after which a report that could not be brought is given up.
        retry: when it is tried again.
    """

    keep_days: Annotated[int, Field(ge=1, le=365)] = 7
    retry: RetryEntry = RetryEntry()


class TlsEntry(Section):
    """What TLS towards a destination asks for.

    Attributes:
        ca_file: certificates of the authorities that are trusted, in PEM form; the system's where there is none.
        certificate_file: our own certificate, in PEM form, where the peer asks for one.
        key_file: its private key; in the same file where there is none.
        check_host: the peer's certificate must be for the host that is called.
        verify: the peer's certificate must be good.
    """

    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    check_host: bool = True
    verify: bool = True


class BasicEntry(Section):
    """A user and a password.

    Attributes:
        user: its name.
        password_file: file that holds the password.
        password_env: environment variable with the same, instead.
    """

    type: Literal["basic"]
    user: Annotated[Text, Field(pattern="^[^:]+$")]
    password_file: Path | None = None
    password_env: str | None = None


class BearerEntry(Section):
    """A token that somebody else renews.

    Attributes:
        token_file: file that holds the token; it is read again when the service refuses the token.
        token_env: environment variable with the same, instead.
    """

    type: Literal["bearer"]
    token_file: Path | None = None
    token_env: str | None = None


class OAuth2Entry(Section):
    """Client credentials of OAuth 2.0.

    Attributes:
        token_url: token endpoint of the authorization server.
        client_id: what it calls us.
        client_secret_file: file that holds our secret there.
        client_secret_env: environment variable with the same, instead.
        scope: what we ask for, names separated by spaces.
        client_authentication: where the secret goes: into the request's header or body.
        parameters: more that the server wants to be told, such as an audience.
        tls: what TLS towards the authorization server asks for.
    """

    type: Literal["oauth2"]
    token_url: Url
    client_id: Text
    client_secret_file: Path | None = None
    client_secret_env: str | None = None
    scope: Text | None = None
    client_authentication: Literal["header", "body"] = "header"
    parameters: dict[Annotated[str, Field(pattern="^[A-Za-z0-9_.-]{1,64}$")], Text] = {}
    tls: TlsEntry | None = None


AuthEntry = Annotated[BasicEntry | BearerEntry | OAuth2Entry, Field(discriminator="type")]


class _DestinationEntry(Section):
    """What all destinations have.

    Attributes:
        name: what messages call it.
        enabled: whether it gets anything.
        mode: what is done to instances: de-identified, only the profile's rules applied, or nothing.
        project: whose profile and secret are used.
        pseudonym: where pseudonyms come from.
        condition: expression that must hold for an instance to be sent.
        sop_classes: SOP Classes that are sent, by UID, name or keyword; all where there are none.
        retry: when what failed is tried again.
    """

    name: Name
    enabled: bool = True
    mode: Literal["deidentify", "morph", "none"]
    project: str | None = None
    pseudonym: PseudonymEntry | None = None
    condition: str | None = None
    sop_classes: tuple[str, ...] = ()
    retry: RetryEntry = RetryEntry()


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
        transfer_syntax: `keep`, or the only transfer syntax that instances leave in, by UID, name or keyword.
        tls: what TLS asks for; without it there is none.
    """

    type: Literal["dicom"]
    ae_title: AeTitle
    host: Host
    port: Port
    calling_ae_title: AeTitle | None = None
    connect_timeout: Seconds = 10
    response_timeout: Seconds = 60
    maximum_associations: Annotated[int, Field(ge=1, le=50)] = 1
    transfer_syntax: str = KEEP
    tls: TlsEntry | None = None


class FolderEntry(_DestinationEntry):
    """A folder that instances are written to.

    Attributes:
        path: the folder; made when it is needed.
        layout: names of folders and files below it, with keywords of attributes in braces.
        transfer_syntax: `keep`, or the only transfer syntax of its files, by UID, name or keyword.
    """

    type: Literal["folder"]
    path: Path
    layout: str = DEFAULT_LAYOUT
    transfer_syntax: str = KEEP


class StowEntry(_DestinationEntry):
    """A DICOMweb service that instances are sent to by STOW-RS.

    Attributes:
        url: its base, to which `/studies` is added.
        headers: more that is sent with each request.
        auth: who we are there.
        tls: what TLS asks for; the system's authorities where there is none.
        http2: whether HTTP/2 is offered where there is TLS.
        instances_per_request: how many instances go into one request at most.
        maximum_connections: requests at once.
        connect_timeout: seconds for connecting.
        send_timeout: seconds for taking each piece of a request.
        response_timeout: seconds for the answer, once everything is sent.
        transfer_syntax: `keep`, or the only transfer syntax that instances leave in, by UID, name or keyword.
    """

    type: Literal["stow"]
    url: Url
    headers: dict[HeaderName, Text] = {}
    auth: AuthEntry | None = None
    tls: TlsEntry | None = None
    http2: bool = True
    instances_per_request: Annotated[int, Field(ge=1, le=200)] = 16
    maximum_connections: Annotated[int, Field(ge=1, le=50)] = 2
    connect_timeout: Seconds = 10
    send_timeout: Seconds = 60
    response_timeout: Seconds = 60
    transfer_syntax: str = KEEP


class VirtualEntry(_DestinationEntry):
    """Nowhere: everything is done, nothing is sent, and what would have been sent is counted."""

    type: Literal["virtual"]


DestinationEntry = Annotated[DicomEntry | StowEntry | FolderEntry | VirtualEntry, Field(discriminator="type")]
