"""Who may have an association, and what all of them together may use: data that the gateway gives to its receivers.

It goes to other processes as JSON, and is replaced whole while they run.
"""

import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from karnak.gateway.route import ForwardNode, Sender


@dataclass(frozen=True, slots=True)
class Limits:
    """What a door bears, all its processes together.

    Attributes:
        maximum_associations: how many at once, at least 1.
        maximum_per_ae: how many at once from one calling AE title, 0 for as many as there may be at all.
        maximum_pdu: bytes of the longest P-DATA-TF PDU that peers may send, 0 for any length.
        maximum_instance: bytes of the longest data set, 0 for any length.
        artim: seconds from the connection to the association request, and from our last word to the peer's closing.
        idle: seconds of silence after which an association is cut.
        minimum_rate: bytes per second that come at least, on average of so many seconds, from who is in the middle of
            a message; 0 for any.
    """

    maximum_associations: int
    maximum_per_ae: int = 0
    maximum_pdu: int = 1 << 20
    maximum_instance: int = 0
    artim: float = 30.0
    idle: float = 60.0
    minimum_rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why there is no association (PS3.8 section 9.3.4).

    Attributes:
        result: 1 for good, 2 for now.
        source: 1 the service user, 2 the provider's ACSE, 3 the provider's presentation functions.
        reason: by source.
        words: the same for a person.
    """

    result: int
    source: int
    reason: int
    words: str


@dataclass(frozen=True, slots=True)
class Admission:
    """Who may call what.

    Attributes:
        nodes: the AE titles that can be called, with who may call them; without their outlets.
    """

    nodes: tuple[ForwardNode, ...]

    def as_json(self) -> dict[str, object]:
        """Say it in JSON."""
        return {
            "nodes": [
                {
                    "ae_title": node.ae_title,
                    "senders": None
                    if node.senders is None
                    else [{"ae_title": sender.ae_title, "host": sender.host} for sender in node.senders],
                }
                for node in self.nodes
            ],
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Admission":
        """Understand what `as_json` has said."""
        return cls(tuple(ForwardNode(node["ae_title"], _senders(node["senders"]), ()) for node in data["nodes"]))


def _senders(data: Sequence[Mapping[str, Any]] | None) -> tuple[Sender, ...] | None:
    return None if data is None else tuple(Sender(one["ae_title"], one["host"]) for one in data)


def is_host(address: str, host: str) -> bool:
    """Tell whether an address is one of a host's; a host that can't be resolved has none.

    Args:
        address: IP address.
        host: name or address.
    """
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        return _plain(address) in {_plain(str(entry[4][0])) for entry in found}
    except (OSError, ValueError):
        return False


def _plain(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """Read an address; an IPv4 address inside an IPv6 one is itself (RFC 4291 section 2.5.5.2)."""
    read = ipaddress.ip_address(address.partition("%")[0])
    return read.ipv4_mapped or read if isinstance(read, ipaddress.IPv6Address) else read
