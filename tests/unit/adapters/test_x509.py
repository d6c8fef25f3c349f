"""Certificates: each verifies under its authority, for its own use and name only."""

import datetime as dt

import pytest
from cryptography import x509 as c509
from cryptography.x509 import verification

from reprise.adapters import x509

NOW = dt.datetime(2026, 11, 24, 12, tzinfo=dt.UTC)


def _verifier(authority: x509.Authority, at: dt.datetime = NOW) -> verification.PolicyBuilder:
    trusted = verification.Store([c509.load_pem_x509_certificate(authority.certificate())])
    return verification.PolicyBuilder().store(trusted).time(at)


def test_a_servers_certificate_is_good_for_its_names_and_addresses() -> None:
    authority = x509.Authority("ca", NOW, 10)
    leaf = c509.load_pem_x509_certificate(authority.issue("s", ["s.ns.svc"], ["10.0.0.1"]).certificate)
    _verifier(authority).build_server_verifier(c509.DNSName("s.ns.svc")).verify(leaf, [])
    with pytest.raises(verification.VerificationError):
        _verifier(authority).build_server_verifier(c509.DNSName("other.ns.svc")).verify(leaf, [])
    with pytest.raises(verification.VerificationError):
        _verifier(authority).build_client_verifier().verify(leaf, [])


def test_a_clients_certificate_is_good_for_a_client() -> None:
    authority = x509.Authority("ca", NOW, 10)
    leaf = c509.load_pem_x509_certificate(authority.issue("c", ["c.example"], client=True).certificate)
    assert _verifier(authority).build_client_verifier().verify(leaf, []).chain


def test_another_authority_and_another_time_are_refused() -> None:
    authority, other = x509.Authority("ca", NOW, 10), x509.Authority("ca", NOW, 10)
    leaf = c509.load_pem_x509_certificate(authority.issue("s", ["s.example"]).certificate)
    for policy in (_verifier(other), _verifier(authority, NOW + dt.timedelta(days=11))):
        with pytest.raises(verification.VerificationError):
            policy.build_server_verifier(c509.DNSName("s.example")).verify(leaf, [])
