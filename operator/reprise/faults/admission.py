"""A ValidatingAdmissionPolicy that the target's pods do not meet: the next one is refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reprise.domain import errors
from reprise.domain.entities import ObjectRef
from reprise.domain.mutation import Create
from reprise.domain.plan import RemovePods, RetryCreation, WaitAvailable
from reprise.domain.symptoms import AlertSymptom, Symptom
from reprise.faults import created, seeded, template
from reprise.faults.mechanism import CLUSTER_API_VERSIONS, Cause, Injection, Json, Mechanism, Observed

_POLICY, _BINDING = "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"


@dataclass(frozen=True)
class _Rule:
    """What a policy demands: its expression in CEL, what it answers, and whether a pod template meets it."""

    expression: str
    message: str
    met: Callable[[Json], bool]
    names: tuple[str, ...]


def _every(check: Callable[[Json], bool]) -> Callable[[Json], bool]:
    return lambda pod: all(check(container) for container in pod["spec"]["containers"])


_RULES: Mapping[str, _Rule] = {
    "digest": _Rule(
        "object.spec.containers.all(c, c.image.contains('@sha256:'))",
        "images must be given by digest",
        _every(lambda c: "@sha256:" in c["image"]),
        ("require-image-digest", "images-by-digest", "image-digest-policy"),
    ),
    "cpu": _Rule(
        "object.spec.containers.all(c, has(c.resources) && has(c.resources.requests) && "
        "'cpu' in c.resources.requests)",
        "every container must request cpu",
        # A request that is not given takes the limit's value.
        _every(
            lambda c: any(
                "cpu" in ((c.get("resources") or {}).get(stated) or {}) for stated in ("requests", "limits")
            )
        ),
        ("require-cpu-requests", "pod-requests", "cpu-requests-policy"),
    ),
    "non-root": _Rule(
        "object.spec.containers.all(c, has(c.securityContext) && has(c.securityContext.runAsNonRoot) && "
        "c.securityContext.runAsNonRoot)",
        "containers must state that they do not run as root",
        _every(lambda c: bool((c.get("securityContext") or {}).get("runAsNonRoot"))),
        ("require-run-as-nonroot", "pods-nonroot", "nonroot-policy"),
    ),
    "owner-label": _Rule(
        "has(object.metadata.labels) && 'team' in object.metadata.labels",
        "pods must carry the label team",
        lambda pod: "team" in (pod["metadata"].get("labels") or {}),
        ("require-team-label", "pod-ownership", "team-label-policy"),
    ),
}


@dataclass(frozen=True)
class PolicyParameters:
    """demand: what pods must have: `digest` (images by digest), `cpu` (requests), `non-root` (stated) or
    `owner-label` (a label `team`); by default one that the target lacks.
    name: the policy's; a plausible one by default."""

    demand: str | None = None
    name: str | None = None

    def problems(self) -> list[str]:
        if self.demand is not None and self.demand not in _RULES:
            return [f"demand: expected one of: {', '.join(_RULES)}; found {self.demand!r}"]
        return []


def _plan(target: str, params: PolicyParameters, seed: int, observed: Observed) -> Injection:
    deployment = observed.get("Deployment", target)
    template.serving(deployment)
    lacking = [name for name, rule in _RULES.items() if not rule.met(deployment["spec"]["template"])]
    rng = seeded.chooser(seed, POLICY.name, target)
    demand = params.demand or (rng.choice(lacking) if lacking else "")
    if demand not in lacking:
        raise errors.InvalidInput(
            f"params.demand: expected something that pods of Deployment/{target} lack, one of: "
            f"{', '.join(lacking) or 'none'}; found {demand or 'nothing'!r}"
        )
    rule = _RULES[demand]
    name = params.name or seeded.pick(rng, rule.names, observed.all(_POLICY), f"name for a {_POLICY}")
    binding_name = seeded.pick(
        rng,
        [f"{name}-{observed.namespace}", f"{name}-binding"],
        observed.all(_BINDING),
        f"name for a {_BINDING}",
    )
    policy = ObjectRef(CLUSTER_API_VERSIONS[_POLICY], _POLICY, "", name)
    binding = ObjectRef(CLUSTER_API_VERSIONS[_BINDING], _BINDING, "", binding_name)
    workload = observed.ref("Deployment", target)
    return Injection(
        mutations=(Create(_policy(policy, rule)), Create(_binding(binding, policy, observed.namespace))),
        causes=(Cause(policy, equivalents=(binding,)),),
        settle=(RemovePods(workload),),
        recover=(RetryCreation(workload), WaitAvailable(workload)),
    )


def _policy(ref: ObjectRef, rule: _Rule) -> Json:
    pods = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    return {
        **created.head(ref),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [pods]},
            "validations": [{"expression": rule.expression, "message": rule.message}],
        },
    }


def _binding(ref: ObjectRef, policy: ObjectRef, namespace: str) -> Json:
    only = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return {
        **created.head(ref),
        "spec": {
            "policyName": policy.name,
            "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": only},
        },
    }


def _symptoms(target: str, params: PolicyParameters) -> tuple[Symptom, ...]:
    return (
        AlertSymptom("its pods are refused", alert="KubeReplicaFailure", labels={"service_name": target}),
    )


POLICY = Mechanism(
    name="admission-policy-rejecting",
    summary="An admission policy demands of pods what the target's lack, so that its next pod is refused.",
    parameters=PolicyParameters,
    targets=frozenset({"Deployment"}),
    plan=_plan,
    symptoms=_symptoms,
    cluster_wide=True,
)

MECHANISMS = (POLICY,)
