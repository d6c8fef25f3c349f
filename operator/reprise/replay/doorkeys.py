"""What opens the door of a replay: its certificate, and a kubeconfig an attempt. Both outlive a restart."""

import datetime as dt
import ipaddress
import json
import os
import secrets
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509 as certificates

from reprise.adapters import x509
from reprise.domain import errors, kubeconfig

_DAYS = 365
_SPARE = dt.timedelta(days=1)


def write_private(path: Path, data: bytes) -> None:
    """Write a file that only its owner can read, replacing one that is there."""
    unfinished = path.with_name(f".{path.name}.partial")
    unfinished.unlink(missing_ok=True)
    with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
    unfinished.replace(path)


@dataclass(frozen=True)
class Certificate:
    """`ca` is the authority's PEM text, for clients; `context` is the server's."""

    ca: str
    context: ssl.SSLContext


def certificate(folder: Path, host: str, now: dt.datetime) -> Certificate:
    """The one in `folder` while it is good for `host`, else one made now. Raises Corrupt."""
    folder = folder / host.replace(":", "_")
    ca, served = folder / "ca.crt", folder / "tls.pem"
    if not (ca.is_file() and served.is_file() and _lasts(ca, now)):
        folder.mkdir(parents=True, exist_ok=True)
        # NB: one name for both would make the certificate look as if it had signed itself.
        authority = x509.Authority("incident-ca", now, _DAYS)
        names, addresses = _names(host)
        pair = authority.issue("incident", names, addresses)
        write_private(served, pair.certificate + pair.key)
        ca.write_bytes(authority.certificate())
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(served)
    except (ssl.SSLError, OSError) as exc:
        raise errors.Corrupt(
            f"{served}: expected a certificate with its key, found: {exc}; remove it"
        ) from exc
    return Certificate(ca.read_text(), context)


def _lasts(path: Path, now: dt.datetime) -> bool:
    try:
        found = certificates.load_pem_x509_certificate(path.read_bytes())
    except ValueError:
        return False
    return found.not_valid_after_utc > now + _SPARE


def _names(host: str) -> tuple[list[str], list[str]]:
    names, addresses = ["localhost"], ["127.0.0.1", "::1"]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return sorted({*names, host}), addresses
    return names, addresses if address.is_unspecified else sorted({*addresses, host})


def token(path: Path) -> str:
    """The token in the kubeconfig at `path`, a new one when there is no file. Raises Corrupt."""
    try:
        document = json.loads(path.read_bytes())
        return str(document["users"][0]["user"]["token"])
    except FileNotFoundError:
        return secrets.token_hex(32)
    except (ValueError, LookupError, TypeError) as exc:
        raise errors.Corrupt(f"{path}: expected a kubeconfig that was written here, found {exc!r}") from exc


def write_kubeconfig(path: Path, server: str, ca: str, secret: str, namespace: str) -> None:
    document = kubeconfig.build(server, ca, secret, namespace)
    write_private(path, json.dumps(document, indent=2).encode() + b"\n")
