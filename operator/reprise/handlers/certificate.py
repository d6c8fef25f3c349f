"""The gateway's certificate: made once, by the operator, when it is missing."""

import asyncio
import base64
import datetime as dt
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from reprise.adapters.kube import Kube
from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.handlers.runtime import SYSTEM_NAMESPACE

SECRET = ObjectRef("v1", "Secret", SYSTEM_NAMESPACE, "gateway-tls")
_NAMES = ("gateway", "gateway.reprise-system", "gateway.reprise-system.svc", "localhost")
_DAYS = 825


async def ensure(kube: Kube) -> None:
    """Make the Secret when it does not exist. Raises NotFound when the namespace is not there yet."""
    if await kube.get(SECRET) is not None:
        return
    service = await kube.get(ObjectRef("v1", "Service", SYSTEM_NAMESPACE, "gateway"))
    addresses = ["127.0.0.1"]
    if service is not None and service["spec"].get("clusterIP") not in (None, "None"):
        addresses.append(service["spec"]["clusterIP"])
    data = await asyncio.to_thread(make, tuple(addresses), dt.datetime.now(dt.UTC))
    manifest = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET.name, "namespace": SECRET.namespace},
        "type": "kubernetes.io/tls",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }
    try:
        await kube.create(manifest)
    except errors.Conflict:
        return  # another process was faster


def make(addresses: tuple[str, ...], now: dt.datetime) -> dict[str, bytes]:
    """`tls.crt`, `tls.key` and `ca.crt` as PEM. The authority's key is thrown away: it signs once."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway-ca")])
    begin, end = now - dt.timedelta(hours=1), now + dt.timedelta(days=_DAYS)
    ca = (
        _builder(ca_name, ca_name, ca_key.public_key(), begin, end)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(sign=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key()), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in _NAMES]
    alternatives += [x509.IPAddress(ipaddress.ip_address(address)) for address in addresses]
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gateway")])
    leaf = (
        _builder(subject, ca_name, key.public_key(), begin, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(sign=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        # Python 3.13 verifies strictly: a certificate without this one is refused.
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False
        )
        .sign(ca_key, hashes.SHA256())
    )
    return {
        "tls.crt": leaf.public_bytes(serialization.Encoding.PEM),
        "tls.key": key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        "ca.crt": ca.public_bytes(serialization.Encoding.PEM),
    }


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    begin: dt.datetime,
    end: dt.datetime,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )


def _usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        key_cert_sign=sign,
        crl_sign=sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
