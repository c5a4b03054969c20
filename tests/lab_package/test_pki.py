"""Certificates: signed by the lab's authority, for one user and one purpose each, readable by their owner alone."""

from __future__ import annotations

import base64
import ssl
from ipaddress import IPv4Address
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from lab.pki import Authority, Pair, signing_key


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


def _load(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def _shake_hands(server: Pair, server_ca: Path, client: Pair, client_ca: Path, host: str) -> str:
    """Both sides of TLS in memory, each checking the other; gives the user that the server sees."""
    answering = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    answering.load_cert_chain(server.certificate, server.key)
    answering.load_verify_locations(client_ca)
    answering.verify_mode = ssl.CERT_REQUIRED
    asking = ssl.create_default_context(cafile=str(server_ca))
    asking.load_cert_chain(client.certificate, client.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    one = asking.wrap_bio(to_client, to_server, server_hostname=host)
    two = answering.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(6):
        for side in (one, two):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    subject = two.getpeercert()
    assert subject
    return dict(item for part in subject["subject"] for item in part)["commonName"]  # type: ignore[misc]


def test_a_server_recognises_a_client_by_its_certificate(authority: Authority, tmp_path: Path) -> None:
    server = authority.issue(tmp_path / "s", "server", server_for=["lab", IPv4Address("198.18.24.2")], client=False)
    client = authority.issue(tmp_path / "c", "alice", ["developers"])
    ca = authority.pair.certificate
    assert _shake_hands(server, ca, client, ca, "198.18.24.2") == "alice"


def test_a_certificate_of_another_lab_is_refused(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path / "other")
    server = authority.issue(tmp_path / "s", "server", server_for=["lab"], client=False)
    client = other.issue(tmp_path / "c", "alice")
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake_hands(server, authority.pair.certificate, client, authority.pair.certificate, "lab")


def test_a_server_is_refused_under_another_name(authority: Authority, tmp_path: Path) -> None:
    server = authority.issue(tmp_path / "s", "server", server_for=["lab"], client=False)
    client = authority.issue(tmp_path / "c", "alice")
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _shake_hands(server, authority.pair.certificate, client, authority.pair.certificate, "elsewhere")


def test_a_client_certificate_names_user_and_groups_and_serves_nobody(authority: Authority, tmp_path: Path) -> None:
    found = _load(authority.issue(tmp_path / "c", "alice", ["developers", "on-call"]).certificate)
    groups = [item.value for item in found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)]
    assert groups == ["developers", "on-call"]
    assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.CLIENT_AUTH
    ]


def test_a_serving_certificate_is_no_clients(authority: Authority, tmp_path: Path) -> None:
    server = authority.issue(tmp_path / "s", "server", server_for=["lab"], client=False)
    kubelet = authority.issue(tmp_path / "k", "kubelet", server_for=["node"], client=False)
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        _shake_hands(server, authority.pair.certificate, kubelet, authority.pair.certificate, "lab")


def test_keys_are_readable_by_their_owner_alone(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(tmp_path / "c", "alice")
    keys = [authority.pair.key, pair.key, signing_key(tmp_path / "tokens.key")]
    assert [path.stat().st_mode & 0o777 for path in keys] == [0o600] * 3


def test_what_was_issued_stays(authority: Authority, tmp_path: Path) -> None:
    before = authority.issue(tmp_path / "c", "alice").certificate.read_bytes()
    again = Authority(authority.folder)
    assert again.issue(tmp_path / "c", "alice").certificate.read_bytes() == before


def test_a_kubeconfig_needs_no_other_file(authority: Authority, tmp_path: Path) -> None:
    pair = authority.issue(tmp_path / "c", "alice")
    data = yaml.safe_load(authority.kubeconfig("lab-2", "https://198.18.24.2:6443", "alice", pair))
    assert data["current-context"] == data["contexts"][0]["name"] == data["clusters"][0]["name"] == "lab-2"
    assert base64.b64decode(data["users"][0]["user"]["client-key-data"]) == pair.key.read_bytes()
    assert base64.b64decode(data["clusters"][0]["cluster"]["certificate-authority-data"]) == (
        authority.pair.certificate.read_bytes()
    )
