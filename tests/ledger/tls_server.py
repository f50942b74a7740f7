"""A real PostgreSQL that uses TLS, with certificates made for the test."""

import datetime as dt
import ipaddress
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.postgres import EmbeddedPostgres, process
from app.postgres.binaries import SYSTEM_PLACES, Binaries
from app.postgres.cluster import OWNER, Cluster

NOW = dt.datetime.now(dt.UTC)
Key = ec.EllipticCurvePrivateKey


def with_tls() -> Binaries | None:
    """The newest installed PostgreSQL that was built with TLS; the wheel's is not."""
    for folder in sorted((f for p in SYSTEM_PLACES for f in p.glob("*/bin")), reverse=True):
        config = folder / "pg_config"
        if config.is_file() and (folder / "initdb").is_file():
            built = subprocess.run(
                [config, "--configure"], capture_output=True, check=False, text=True, timeout=10
            ).stdout
            if "openssl" in built and folder.parent.name.isdecimal():
                return Binaries(folder, int(folder.parent.name))
    return None


@dataclass(frozen=True)
class Authority:
    """Who signs certificates, with the files that lie in its folder."""

    folder: Path
    name: str
    key: Key
    certificate: x509.Certificate

    @classmethod
    def make(cls, folder: Path, name: str) -> "Authority":
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = signed(name, key.public_key(), name, key, is_authority=True)
        write(folder / f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM))
        return cls(folder, name, key, certificate)

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.crt"

    def issue(self, name: str, *, password: bytes | None = None) -> tuple[Path, Path]:
        """Return a certificate's file and its key's."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = signed(name, key.public_key(), self.name, self.key, is_authority=False)
        encryption = (
            serialization.BestAvailableEncryption(password)
            if password
            else serialization.NoEncryption()
        )
        paths = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        write(paths[0], certificate.public_bytes(serialization.Encoding.PEM))
        write(
            paths[1],
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption
            ),
        )
        return paths


def write(path: Path, content: bytes) -> None:
    path.touch(mode=0o600)
    path.write_bytes(content)


def signed(
    name: str, key: ec.EllipticCurvePublicKey, by: str, with_key: Key, *, is_authority: bool
) -> x509.Certificate:
    """A certificate for 127.0.0.1, and for no host's name."""

    def named(common: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])

    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(by))
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - dt.timedelta(days=1))
        .not_valid_after(NOW + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .sign(with_key, hashes.SHA256())
    )


@dataclass(frozen=True)
class Guarded:
    """A server that speaks TLS only, and asks the role wallet_service for a certificate."""

    server: EmbeddedPostgres
    ours: Authority
    others: Authority

    def url(self, role: str = OWNER, host: str | None = None, **parameters: object) -> str:
        plain = self.server.url_for(role).replace("+asyncpg", "")
        if host is not None:
            plain = plain.replace("127.0.0.1", host)
        return f"{plain}?{urlencode({k: str(v) for k, v in parameters.items()}, quote_via=quote)}"


HBA = """
hostssl all wallet_service all scram-sha-256 clientcert=verify-full
hostssl all all all scram-sha-256
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    binaries = with_tls()
    if binaries is None:
        pytest.skip("no PostgreSQL with TLS is installed here (the wheel's has none)")
    folder = tmp_path_factory.mktemp("tls")
    ours, others = (Authority.make(folder, name) for name in ("ours", "others"))
    data_dir = folder / "data"
    data_dir.mkdir(mode=0o700)
    cluster = Cluster(data_dir, binaries)
    identity = process.run_as()
    cluster.make(identity, fsync=False)
    for name, path in zip(("server.crt", "server.key"), ours.issue("server"), strict=True):
        write(cluster.dir / name, path.read_bytes())
    write(cluster.dir / "root.crt", ours.file.read_bytes())
    (cluster.dir / "pg_hba.conf").write_text(HBA, encoding="ascii")
    process.hand_over(cluster.dir, identity)
    settings = {
        "ssl": "on",
        "ssl_cert_file": "server.crt",
        "ssl_key_file": "server.key",
        "ssl_ca_file": "root.crt",
    }
    with EmbeddedPostgres.start_or_join(
        data_dir, fsync=False, loopback=True, settings=settings
    ) as server:
        yield Guarded(server, ours, others)
