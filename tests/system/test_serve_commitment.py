"""Storage Commitment as a hospital uses it: the report comes later, over TLS, whatever happened meanwhile."""

import os
import signal
from pathlib import Path

import pytest
from pydicom import dcmread

from karnak.gateway.receive.tls import TlsFiles, listening_rules
from tests.gateway.certificates import Authority
from tests.gateway.receive.commitments import Scu, action, close_sockets, encoded, information
from tests.gateway.receive.door import COMMITMENT, CT, EXPLICIT, Sender
from tests.system.programs import Karnak, free_port, karnak, node, storescu, to_folder
from tests.system.studies import make


def owed(gateway: Karnak) -> int:
    return len(list((gateway.folder / "data" / "commitments").glob("*.json")))


def test_a_report_is_brought_over_tls_after_a_kill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    close_sockets(monkeypatch)
    authority = Authority(tmp_path)
    theirs, ours = authority.issue("scu"), authority.issue("karnak")
    scu = Scu(free_port())
    tls = f"tls: {{ ca_file: {authority.file}, certificate_file: {ours.certificate}, key_file: {ours.key} }}"
    nodes = node(
        to_folder("disk", "out"),
        sources=f"[ {{ ae_title: CT01, host: 127.0.0.1, port: {scu.port}, {tls} }} ]",
    )
    file = make("ct", tmp_path)
    sent = (CT, str(dcmread(file, stop_before_pixels=True).SOPInstanceUID))
    with karnak(tmp_path / "karnak", nodes) as gateway:
        assert storescu(gateway.port, file).returncode == 0
        # It asks, and goes away without having heard.
        with Sender(gateway.port) as sender:
            sender.associate(COMMITMENT)
            sender.send(action(encoded(information(sent, (CT, "1.2.3.4")), EXPLICIT)))
            assert sender.status() == 0
            assert owed(gateway) == 1
        gateway.wait(lambda: bool(gateway.events("commitment waiting")))
        os.kill(gateway.process.pid, signal.SIGKILL)
        gateway.process.wait(60)
    assert owed(gateway) == 1
    rules = listening_rules(TlsFiles(theirs.certificate, theirs.key, authority.file))
    with scu.listening(rules), karnak(tmp_path / "karnak", nodes) as gateway:
        assert scu.only_report() == (2, [sent], [(CT, "1.2.3.4")])
        gateway.wait(lambda: bool(gateway.events("commitment reported")))
        assert owed(gateway) == 0
        assert gateway.stop() == 0
