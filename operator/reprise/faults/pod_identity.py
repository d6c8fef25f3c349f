"""Faults by whom a pod is to the cluster: its ServiceAccount, and by whom it asks for names."""

import re
from dataclasses import dataclass

from reprise.domain import errors, paths
from reprise.domain.mutation import Patch, SetField
from reprise.domain.plan import RetireOldReplicas
from reprise.domain.symptoms import AlertSymptom, EventSymptom, Symptom
from reprise.faults import seeded, template
from reprise.faults.mechanism import Cause, Injection, Json, Mechanism, Observed

_ACCOUNT: paths.Path = (*template.POD_SPEC, "serviceAccountName")
_DNS_POLICY: paths.Path = (*template.POD_SPEC, "dnsPolicy")


def _account(deployment: Json) -> str:
    found = paths.get(deployment, _ACCOUNT)
    return "default" if found is paths.ABSENT else str(found)


# -- service-account-missing ------------------------------------------------------------------------


@dataclass(frozen=True)
class MissingAccountParameters:
    """name: the ServiceAccount that the pods are to have, which must not exist; plausible by default."""

    name: str | None = None

    def problems(self) -> list[str]:
        if self.name is not None and not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", self.name):
            return [f"name: expected the name of a ServiceAccount such as cart-runtime, found {self.name!r}"]
        return []


def _plan_missing(target: str, params: MissingAccountParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    accounts = {*observed.all("ServiceAccount"), "default", _account(deployment)}
    if params.name in accounts:
        raise errors.InvalidInput(
            f"params.name: expected a ServiceAccount that does not exist, found {params.name!r}"
        )
    name = params.name or seeded.pick(
        seeded.chooser(seed, MISSING.name, target),
        [f"{target}-sa", f"{target}-runtime", f"{target}-workload", f"svc-{target}"],
        accounts,
        "name of a ServiceAccount",
    )
    ref = observed.ref("Deployment", target)
    return template.template_fault(
        ref, observed, SetField(_ACCOUNT, name), settle=(RetireOldReplicas(ref, made=False),)
    )


def _missing_symptoms(target: str, params: MissingAccountParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom("pods are refused", alert="KubeReplicaFailure", labels={"service_name": target}),
        EventSymptom(
            "the refusal says why",
            reason="FailedCreate",
            kind="ReplicaSet",
            name_prefix=f"{target}-",
            message="serviceaccount",
            required=False,
        ),
    )


MISSING = Mechanism(
    name="service-account-missing",
    summary="The pods are to have a ServiceAccount that does not exist, so that none is created.",
    parameters=MissingAccountParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_missing,
    symptoms=_missing_symptoms,
)


# -- service-account-without-rights -----------------------------------------------------------------


@dataclass(frozen=True)
class RightsParameters:
    """binding: the RoleBinding that loses the ServiceAccount of the target; its only one by default."""

    binding: str | None = None


def _plan_rights(target: str, params: RightsParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    account = _account(deployment)
    bound = sorted(
        name for name, one in observed.all("RoleBinding").items() if _subject(one, account, observed)
    )
    if not bound:
        raise errors.Unsupported(
            f"expected a RoleBinding of ServiceAccount/{account}, which Deployment/{target} has, found none: "
            "it has no rights to lose"
        )
    name = params.binding or (bound[0] if len(bound) == 1 else None)
    if name not in bound:
        raise errors.InvalidInput(f"params.binding: expected one of: {', '.join(bound)}; found {name!r}")
    ref = observed.ref("RoleBinding", str(name))
    left = [
        one
        for one in observed.get("RoleBinding", str(name))["subjects"]
        if not _is(one, account, observed.namespace)
    ]
    return Injection(
        mutations=(Patch(ref, (SetField(("subjects",), left or paths.ABSENT),)),), causes=(Cause(ref),)
    )


def _subject(binding: Json, account: str, observed: Observed) -> bool:
    return any(_is(one, account, observed.namespace) for one in binding.get("subjects") or ())


def _is(subject: Json, account: str, namespace: str) -> bool:
    there = subject.get("namespace", namespace)
    return bool((subject["kind"], subject["name"], there) == ("ServiceAccount", account, namespace))


def _rights_symptoms(target: str, params: RightsParameters) -> tuple[Symptom, ...]:
    return (AlertSymptom("requests fail", alert="HighRequestErrorRate", labels={"service_name": target}),)


RIGHTS = Mechanism(
    name="service-account-without-rights",
    summary="A RoleBinding loses the workload's ServiceAccount, so that the API server forbids what it asks.",
    parameters=RightsParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_rights,
    symptoms=_rights_symptoms,
)


# -- dns-policy-default -----------------------------------------------------------------------------


@dataclass(frozen=True)
class DnsPolicyParameters:
    """Nothing to choose."""


def _plan_dns_policy(target: str, params: DnsPolicyParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    if paths.get(deployment, _DNS_POLICY) == "Default":
        raise errors.InvalidInput(f"expected Deployment/{target} to ask the cluster's DNS, found Default")
    if deployment["spec"]["template"]["spec"].get("hostNetwork"):
        raise errors.InvalidInput(f"expected Deployment/{target} in the pods' network, found hostNetwork")
    change = SetField(_DNS_POLICY, "Default")
    return template.template_fault(observed.ref("Deployment", target), observed, change)


def _dns_policy_symptoms(target: str, params: DnsPolicyParameters) -> tuple[Symptom, ...]:
    # A workload that cannot find the collector sends no spans, so it is its callers that tell.
    return (AlertSymptom("requests fail", alert="HighRequestErrorRate"),)


DNS_POLICY = Mechanism(
    name="dns-policy-default",
    summary="Pods ask the node's name servers instead of the cluster's, so that no Service has a name.",
    parameters=DnsPolicyParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan_dns_policy,
    symptoms=_dns_policy_symptoms,
)

MECHANISMS = (DNS_POLICY, MISSING, RIGHTS)
