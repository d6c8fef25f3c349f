"""Faults in a Secret: credentials that are no longer accepted, a certificate that has expired."""

import base64
import binascii
from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import consumers, seeded
from reprise.faults.mechanism import Cause, Injection, Mechanism, Observed


def _injection(target: str, key: str, value: str, observed: Observed) -> Injection:
    ref = observed.ref("Secret", target)
    recycled = consumers.recycled(ref, observed)
    available = tuple(WaitAvailable(reader) for reader in consumers.readers(ref, observed))
    encoded = base64.b64encode(value.encode()).decode()
    return Injection(
        mutations=(Patch(ref, (SetField(("data", key), encoded),)),),
        causes=(Cause(ref),),
        settle=recycled,
        recover=(*recycled, *available),
    )


# -- secret-corrupted -------------------------------------------------------------------------------


@dataclass(frozen=True)
class SecretParameters:
    """key: which one is changed; the only one by default.
    value: what it holds then; by default the present text with a slip in it: two characters swapped, one lost
    or one doubled."""

    key: str | None = None
    value: str | None = None


def _plan_secret(target: str, params: SecretParameters, seed: int, observed: Observed) -> Injection:
    secret = observed.get("Secret", target)
    key = consumers.key_of(secret, params.key)
    try:
        present = base64.b64decode(secret["data"][key], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as exc:
        raise errors.InvalidInput(
            f"params.key: expected one that holds text, found other bytes in {key} of Secret/{target}"
        ) from exc
    value = params.value if params.value is not None else _slip(present, seed, target)
    if value == present:
        # Neither of the two is said: what a Secret holds belongs into no message.
        raise errors.InvalidInput("params.value: expected another value than the present one, found the same")
    return _injection(target, key, value, observed)


def _slip(present: str, seed: int, target: str) -> str:
    if not present:
        raise errors.InvalidInput(
            f"params.value: expected a value, because Secret/{target} holds none to vary"
        )
    slips = [present[:-1], present + present[-1]]
    swaps = [at for at in range(len(present) - 1) if present[at] != present[at + 1]]
    rng = seeded.chooser(seed, SECRET.name, target)
    if swaps:
        at = rng.choice(swaps)
        slips.append(present[:at] + present[at + 1] + present[at] + present[at + 2 :])
    return rng.choice(slips)


def _secret_symptoms(target: str, params: SecretParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("requests fail", alert="HighRequestErrorRate"),)


SECRET = Mechanism(
    name="secret-corrupted",
    summary="A Secret holds credentials that are not accepted, and the pods that read it are replaced.",
    parameters=SecretParameters,
    targets=frozenset({"Secret"}),
    plan=_plan_secret,
    symptoms=_secret_symptoms,
)


# -- tls-secret-expired -----------------------------------------------------------------------------

_TLS_TYPE = "kubernetes.io/tls"
_CERTIFICATE = "tls.crt"


@dataclass(frozen=True)
class CertificateParameters:
    """certificate: the expired certificate, as PEM, for the key that the Secret holds."""

    certificate: str

    def problems(self) -> list[str]:
        if not self.certificate.lstrip().startswith("-----BEGIN CERTIFICATE-----"):
            return [f"certificate: expected a certificate as PEM, found {self.certificate!r:.40}"]
        return []


def _plan_certificate(target: str, params: CertificateParameters, seed: int, observed: Observed) -> Injection:
    secrets = observed.all("Secret")
    suitable = ", ".join(sorted(name for name, found in secrets.items() if found.get("type") == _TLS_TYPE))
    if not suitable:
        raise errors.Unsupported(
            f"expected a Secret of type {_TLS_TYPE} in the application, found none; use an application that "
            "serves TLS"
        )
    found_type = observed.get("Secret", target).get("type")
    if found_type != _TLS_TYPE:
        raise errors.InvalidInput(
            f"target: expected a Secret of type {_TLS_TYPE}, one of: {suitable}; found {target} of type "
            f"{found_type}"
        )
    return _injection(target, _CERTIFICATE, params.certificate, observed)


def _certificate_symptoms(target: str, params: CertificateParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("callers fail", alert="HighRequestErrorRate"),)


CERTIFICATE = Mechanism(
    name="tls-secret-expired",
    summary="The certificate in a Secret of type kubernetes.io/tls has expired; its readers are replaced.",
    parameters=CertificateParameters,
    targets=frozenset({"Secret"}),
    plan=_plan_certificate,
    symptoms=_certificate_symptoms,
)

MECHANISMS = (SECRET, CERTIFICATE)
