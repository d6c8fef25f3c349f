"""Faults in a service mesh: who is in it, how its members speak, and who may call whom."""

from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.mutation import Create, Patch, SetField
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import created, seeded
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed, Requirement

_REQUIRES = frozenset({Requirement.ISTIO})


def _selector(target: str, observed: Observed) -> Json:
    labels = observed.get("Deployment", target)["spec"]["selector"]["matchLabels"]
    return {"matchLabels": dict(labels)}


def _created(
    kind: str, names: list[str], target: str, spec: Json, seed: int, observed: Observed
) -> Injection:
    rng = seeded.chooser(seed, kind, target)
    ref = observed.ref(kind, seeded.pick(rng, names, observed.all(kind), f"name for a {kind}"))
    manifest: Json = {
        **created.head(ref),
        "spec": spec,
    }
    return Injection(mutations=(Create(manifest),), causes=(Cause(ref),))


def _callers_fail(target: str, params: object) -> tuple[Symptom, ...]:
    return (AlertSymptom("callers fail", alert="HighRequestErrorRate"),)


# -- istio-ambient-disabled -------------------------------------------------------------------------

_MODE = "istio.io/dataplane-mode"


@dataclass(frozen=True)
class AmbientParameters:
    """Nothing to choose."""


def _plan_ambient(target: str, params: AmbientParameters, seed: int, observed: Observed) -> Injection:
    observed.get("Deployment", target)
    ref = observed.ref("Namespace", observed.namespace)
    mode = (observed.find(ref)["metadata"].get("labels") or {}).get(_MODE)
    if mode != "ambient":
        raise errors.Unsupported(
            f"expected {ref} to be in an ambient mesh ({_MODE}=ambient), found {mode or 'no such label'}; "
            "put the application into the mesh"
        )
    change = SetField(("metadata", "labels", _MODE), paths.ABSENT)
    return Injection(mutations=(Patch(ref, (change,)),), causes=(Cause(ref),))


AMBIENT = Mechanism(
    name="istio-ambient-disabled",
    summary="The namespace leaves the ambient mesh: who demands mutual TLS refuses the target's calls.",
    parameters=AmbientParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_ambient,
    symptoms=_callers_fail,
    requires=_REQUIRES,
)


# -- istio-mtls-strict ------------------------------------------------------------------------------


@dataclass(frozen=True)
class StrictParameters:
    """name: the PeerAuthentication's; a plausible one by default."""

    name: str | None = None


def _plan_strict(target: str, params: StrictParameters, seed: int, observed: Observed) -> Injection:
    spec = {"selector": _selector(target, observed), "mtls": {"mode": "STRICT"}}
    names = (
        [params.name] if params.name else [f"{target}-mtls", f"{target}-strict", f"{target}-peers", target]
    )
    return _created("PeerAuthentication", names, target, spec, seed, observed)


STRICT = Mechanism(
    name="istio-mtls-strict",
    summary="A workload demands mutual TLS of callers that are not in the mesh.",
    parameters=StrictParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_strict,
    symptoms=_callers_fail,
    requires=_REQUIRES,
)


# -- istio-authorization-denied ---------------------------------------------------------------------


@dataclass(frozen=True)
class AuthorizationParameters:
    """name: the AuthorizationPolicy's; a plausible one by default.
    account: the ServiceAccount that alone may call, and which does not exist; a plausible one by default."""

    name: str | None = None
    account: str | None = None


def _plan_authorization(
    target: str, params: AuthorizationParameters, seed: int, observed: Observed
) -> Injection:
    selector = _selector(target, observed)
    there = observed.all("ServiceAccount")
    account = params.account or seeded.pick(
        seeded.chooser(seed, AUTHORIZATION.name, target),
        ["edge-gateway", "ingress", "web-gateway", "storefront"],
        there,
        "name for a ServiceAccount",
    )
    if account in there:
        raise errors.InvalidInput(
            f"params.account: expected a ServiceAccount that does not exist, found {account!r}, which does"
        )
    # What an ALLOW policy selects may be called by nobody else.
    principal = f"cluster.local/ns/{observed.namespace}/sa/{account}"
    spec = {
        "selector": selector,
        "action": "ALLOW",
        "rules": [{"from": [{"source": {"principals": [principal]}}]}],
    }
    names = (
        [params.name] if params.name else [f"{target}-callers", f"{target}-access", f"allow-{target}", target]
    )
    return _created("AuthorizationPolicy", names, target, spec, seed, observed)


AUTHORIZATION = Mechanism(
    name="istio-authorization-denied",
    summary="An AuthorizationPolicy lets only a caller reach the workload that does not exist.",
    parameters=AuthorizationParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_authorization,
    symptoms=_callers_fail,
    requires=_REQUIRES,
)

MECHANISMS = (AMBIENT, STRICT, AUTHORIZATION)
