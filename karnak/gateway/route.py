"""Who gets which instance: forward node by called AE title, sources, and destinations' filters.

Pure: it looks at what it is given and decides. Anything that is not plainly allowed is
refused.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Literal

from karnak.gateway.deliver.backoff import DEFAULT_BACKOFF, Backoff
from karnak.gateway.deliver.parcel import Destination
from karnak.gateway.pseudonyms import PseudonymSource
from karnak.gateway.renewed import Rules
from karnak.ir.expression import Expression
from karnak.runtime.evaluate import condition_holds
from karnak.runtime.keys import Project
from karnak.runtime.part10 import Instance
from karnak.runtime.program import Program
from karnak.standard.uids import uid_name


class Refusal(Enum):
    """Why an association is rejected: permanently, by the service user, for this reason (PS3.8 section 9.3.4)."""

    CALLING_AE_TITLE = 3
    CALLED_AE_TITLE = 7


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks for an association, or has one.

    Attributes:
        called_ae: the title that was called, without padding.
        calling_ae: the title that the caller gives itself, without padding.
        address: its IP address.
    """

    called_ae: str
    calling_ae: str
    address: str


@dataclass(frozen=True, slots=True)
class ReportAddress:
    """Where a sender hears of Storage Commitment when its association is gone.

    Attributes:
        host: name or address.
        port: TCP port.
        tls: gives what TLS asks for, anew for each connection; None to do without.
    """

    host: str
    port: int
    tls: Rules | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Someone who may send.

    Attributes:
        ae_title: calling AE title.
        host: name or address it must come from, or None for anywhere.
        reports: where it hears of Storage Commitment; None for nowhere.
    """

    ae_title: str
    host: str | None
    reports: ReportAddress | None = None


@dataclass(frozen=True, slots=True)
class Treatment:
    """What is done to instances before they leave.

    Attributes:
        mode: "deid" or "morph".
        program: the compiled profile.
        project: name and secret.
        pseudonyms: where pseudonyms come from; None with "morph", which needs none.
        file: of the profile, as the configuration names it.
    """

    mode: Literal["deid", "morph"]
    program: Program
    project: Project
    pseudonyms: PseudonymSource | None
    file: str = ""


@dataclass(frozen=True, slots=True)
class Outlet:
    """A destination with what it asks for.

    Attributes:
        name: what messages call it.
        destination: where instances go.
        treatment: what is done to them before, or None for nothing.
        condition: what must hold for the original instance, or None.
        sop_classes: SOP Class UIDs that it takes; empty for all.
        backoff: when what it did not take is tried again.
        settings: what names where it is and how it is reached; equal texts, equal destinations.
    """

    name: str
    destination: Destination
    treatment: Treatment | None
    condition: Expression | None = None
    sop_classes: frozenset[str] = frozenset()
    backoff: Backoff = DEFAULT_BACKOFF
    settings: str = ""


@dataclass(frozen=True, slots=True)
class ForwardNode:
    """An AE title that can be called.

    Attributes:
        ae_title: called AE title.
        senders: who may send, or None for anyone.
        outlets: where instances go.
    """

    ae_title: str
    senders: tuple[Sender, ...] | None
    outlets: tuple[Outlet, ...]


def find_node(nodes: Iterable[ForwardNode], called_ae: str) -> ForwardNode | None:
    """Find the forward node that is called; AE titles are compared letter by letter."""
    return next((node for node in nodes if node.ae_title == called_ae), None)


def report_address(nodes: Iterable[ForwardNode], caller: Caller) -> ReportAddress | None:
    """Find where a caller hears of Storage Commitment: by the node that it called, else by another that knows it."""
    for node in sorted(nodes, key=lambda node: node.ae_title != caller.called_ae):
        for sender in node.senders or ():
            if sender.ae_title == caller.calling_ae and sender.reports is not None:
                return sender.reports
    return None


def refusal_of(nodes: Iterable[ForwardNode], caller: Caller, is_host: Callable[[str, str], bool]) -> Refusal | None:
    """Decide whether a caller may have an association.

    Args:
        nodes: the forward nodes.
        caller: who asks.
        is_host: tells whether an address belongs to a host name; asked only where a host is to be checked.

    Returns:
        Why not, or None.
    """
    node = find_node(nodes, caller.called_ae)
    if node is None:
        return Refusal.CALLED_AE_TITLE
    if node.senders is None:
        return None
    for sender in node.senders:
        if sender.ae_title == caller.calling_ae and (sender.host is None or is_host(caller.address, sender.host)):
            return None
    return Refusal.CALLING_AE_TITLE


def exclusion_of(outlet: Outlet, instance: Instance) -> str | None:
    """Decide whether a destination is to have an instance.

    Returns:
        Why not, without patient values, or None.

    Raises:
        KarnakError: the condition can't be evaluated on this instance.
    """
    sop_class = instance.sop_class_uid
    if outlet.sop_classes and sop_class not in outlet.sop_classes:
        return f"the destination does not take {uid_name(sop_class or '') or 'this SOP Class'}"
    if outlet.condition is not None and not condition_holds(outlet.condition, instance):
        return "the destination's condition does not hold"
    return None
