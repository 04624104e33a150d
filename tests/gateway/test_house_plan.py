"""What is said of tokens, keys and certificates that the configuration's own sections name."""

import os
from pathlib import Path

import pytest

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nodes import Source
from karnak.gateway.plan import make_plan
from tests.gateway.certificates import Authority

NODE = (
    "forward_nodes: [ { ae_title: KARNAK, sources: any, destinations: [ { name: disk, type: folder, path: out, "
    "mode: none } ] } ]\n"
)


def found(folder: Path, text: str) -> list[tuple[str, str, str]]:
    """Codes, messages and hints of what is wrong."""
    _, diagnostics = make_plan(Source("gateway.yml", f"data_dir: data\n{text}\n{NODE}"), folder, dict(os.environ))
    return [_told(one) for one in diagnostics]


def _told(diagnostic: Diagnostic) -> tuple[str, str, str]:
    return diagnostic.code, diagnostic.message, diagnostic.hint


def test_tokens_are_read_and_guarded(tmp_path: Path) -> None:
    token = tmp_path / "api.token"
    text = "api: { token_file: api.token }"
    assert found(tmp_path, text) == [("G301", "the file api.token can't be read: No such file or directory", "")]
    token.write_bytes(b"\xff" * 20)
    token.chmod(0o600)
    assert found(tmp_path, text) == [("G301", "the file api.token holds something else than ASCII text", "")]
    token.write_text("0123456789abcdef\n")
    assert found(tmp_path, text) == []
    token.chmod(0o644)
    assert found(tmp_path, text) == [("G302", "everyone on this machine can read the token", f"chmod 600 {token}")]


@pytest.mark.parametrize(("before", "after"), [("listen: { ", " }"), ("dicomweb: { senders: [ SENDER ], ", " }")])
def test_certificates_are_tried(before: str, after: str, tmp_path: Path) -> None:
    authority, other = Authority(tmp_path), Authority(tmp_path, "other")
    one, two = authority.issue("one"), other.issue("two")
    (tmp_path / "token").write_text("0123456789abcdef")
    (tmp_path / "token").chmod(0o600)
    before = before.replace("SENDER", "{ ae_title: WEB, forward_node: KARNAK, token_file: token }")

    def tried(**files: Path) -> list[tuple[str, str, str]]:
        named = ", ".join(f"{name}: {path}" for name, path in files.items())
        return found(tmp_path, f"{before}tls: {{ {named} }}{after}")

    assert tried(certificate=one.certificate, key=one.key, client_ca=authority.file) == []
    missing = tmp_path / "missing.pem"
    assert tried(certificate=one.certificate, key=missing) == [
        ("G305", f"there is no file {missing}", "PEM files are expected")
    ]
    for certificate, key, client_ca in (
        (one.certificate, two.key, authority.file),
        (one.certificate, one.key, tmp_path / "token"),
    ):
        ((code, message, _),) = tried(certificate=certificate, key=key, client_ca=client_ca)
        assert code == "G305"
        assert "can't be used: " in message
