"""Bring a report of Storage Commitment to its requestor over an association of its own.

Source: PS3.4 section J.3.3, PS3.7 annex D.3.3.4.
"""

from karnak.gateway.deliver.parcel import DeliveryError
from karnak.gateway.receive.commitment import COMMITMENT_INSTANCE, Report
from karnak.gateway.receive.offer import STORAGE_COMMITMENT
from karnak.gateway.route import Caller, ReportAddress


def send_report(report: Report, caller: Caller, address: ReportAddress, seconds: float) -> int:
    """Send an N-EVENT-REPORT, as SCP.

    Args:
        report: what to say.
        caller: who asked; it is called by the title it had, by the title it called.
        address: where it listens.
        seconds: for each step.

    Returns:
        The status that it answers with; 0 is Success.

    Raises:
        DeliveryError: it can't be reached, or doesn't let us report.
    """
    # Seldom needed, and large.
    from pynetdicom import AE, build_role

    ae = AE(caller.called_ae)
    ae.acse_timeout = ae.dimse_timeout = ae.network_timeout = ae.connection_timeout = seconds
    ae.add_requested_context(STORAGE_COMMITMENT)
    role = build_role(STORAGE_COMMITMENT, scp_role=True)
    tls = (address.tls(), address.host) if address.tls is not None else None
    association = ae.associate(address.host, address.port, ae_title=caller.calling_ae, ext_neg=[role], tls_args=tls)
    if not association.is_established:
        how = "over TLS " if tls is not None else ""
        raise DeliveryError(f"no association {how}with {address.host} port {address.port}")
    try:
        status, _ = association.send_n_event_report(
            report.data_set(), report.event_type, STORAGE_COMMITMENT, COMMITMENT_INSTANCE
        )
    except (RuntimeError, ValueError):
        raise DeliveryError("the requestor does not let us report, or has gone") from None
    finally:
        association.release()
    if "Status" not in status:
        raise DeliveryError("no answer to the report")
    return int(status.Status)
