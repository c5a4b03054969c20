"""The lab's certificates: one authority, and a certificate for each component with the names it needs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

LIFETIME = timedelta(days=365)
SKEW = timedelta(hours=1)  # a clock that was just set back must not make a new certificate "not yet valid"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as PEM files that only their owner can read."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority in a folder; `Authority(folder)` makes it there or takes the one that is there.

    `ca.crt` is what others trust; everything else in the folder is secret.
    """

    def __init__(self, folder: Path, name: str = "lab") -> None:
        self.folder = folder
        self.pair = Pair(folder / "ca.crt", folder / "ca.key")
        if not self.pair.certificate.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_authority(self.pair, name)
        self._certificate = x509.load_pem_x509_certificate(self.pair.certificate.read_bytes())
        key = serialization.load_pem_private_key(self.pair.key.read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        self._key = key

    def issue(
        self,
        place: Path,
        user: str,
        groups: Sequence[str] = (),
        *,
        server_for: Sequence[str | IPv4Address] | None = None,
        client: bool = True,
    ) -> Pair:
        """Give `place`.crt and `place`.key for a user (CN) in groups (O), made unless they are there.

        `server_for` lists the DNS names and addresses that the holder serves; without it the certificate is
        good for clients alone, and with `client=False` for servers alone.
        """
        pair = Pair(place.with_name(f"{place.name}.crt"), place.with_name(f"{place.name}.key"))
        if pair.certificate.exists():
            return pair
        place.parent.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.CLIENT_AUTH] if client else []
        builder = _builder(_subject(user, groups), self._certificate.subject, key)
        if server_for is not None:
            usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_general(name) for name in server_for]), critical=False
            )
        certificate = (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _secret(pair.key, _key_pem(key))
        pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        return pair

    def kubeconfig(self, context: str, server: str, user: str, pair: Pair) -> str:
        """A kubeconfig that needs no other file: cluster and context are named `context`."""

        def inline(path: Path) -> str:
            return base64.b64encode(path.read_bytes()).decode()

        return yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [
                    {
                        "name": context,
                        "cluster": {
                            "server": server,
                            "certificate-authority-data": inline(self.pair.certificate),
                        },
                    }
                ],
                "users": [
                    {
                        "name": user,
                        "user": {
                            "client-certificate-data": inline(pair.certificate),
                            "client-key-data": inline(pair.key),
                        },
                    }
                ],
                "contexts": [{"name": context, "context": {"cluster": context, "user": user}}],
                "current-context": context,
            },
            sort_keys=False,
        )


def signing_key(path: Path) -> Path:
    """A bare private key, made unless it is there: what service-account tokens are signed with."""
    if not path.exists():
        _secret(path, _key_pem(ec.generate_private_key(ec.SECP256R1())))
    return path


def write_secret(path: Path, text: str) -> Path:
    """Write a file that only its owner can read, whatever the umask."""
    _secret(path, text.encode())
    return path


def _write_authority(pair: Pair, name: str) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"{name} authority", ())
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        _builder(subject, subject, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .sign(key, hashes.SHA256())
    )
    _secret(pair.key, _key_pem(key))
    pair.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
    )


def _subject(user: str, groups: Sequence[str]) -> x509.Name:
    organizations = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*organizations, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _general(name: str | IPv4Address) -> x509.GeneralName:
    return x509.IPAddress(name) if isinstance(name, IPv4Address) else x509.DNSName(name)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


def _secret(path: Path, content: bytes) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(content)
